// Program outside uses the public packages as a module elsewhere does.
package main

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/saga"
)

type trips struct{}

func (*trips) Book(context.Context, string) error                  { return nil }
func (*trips) Cancel(context.Context, string) error                { return nil }
func (*trips) Close(context.Context, string) (saga.Verdict, error) { return saga.Backward, nil }

// Trip is a workflow that runs a plan of the saga library.
func Trip(ctx workflow.Context, trip string) (saga.Outcome, error) {
	var t *trips // names the activities
	book := func(ctx workflow.Context) error { return saga.Do(ctx, t.Book, trip) }
	cancel := func(ctx workflow.Context) error { return saga.Do(ctx, t.Cancel, trip) }
	plan := saga.Plan{
		Steps: []saga.Step{{Name: "BookFlight", Do: book, Undo: &saga.Undo{Name: "CancelFlight", Do: cancel}}},
		Pivot: saga.Step{Name: "Confirm", Do: book},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			return saga.Execute(ctx, t.Close, trip)
		},
		Finish: saga.Step{Name: "RecordFailure", Do: cancel},
	}
	return plan.Run(ctx, saga.Options{})
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
	}
}

func run(ctx context.Context) error {
	catalog, err := catalogclient.New(catalogclient.Options{BaseURL: "http://127.0.0.1:8081"})
	if err != nil {
		return err
	}
	quotes, err := catalog.PriceProducts(ctx, []string{"espresso-machine"})
	if err != nil {
		return err
	}
	orders, err := orderclient.New("http://127.0.0.1:8080")
	if err != nil {
		return err
	}
	var price catalogclient.Price = quotes[0].Price
	order, err := orders.Place(ctx, orderclient.NewOrder{
		UserID: 42, Items: []orderclient.Item{{ProductID: "espresso-machine", Quantity: 1}},
	}, orderclient.WithKey("outside"))
	if problem := (*orderclient.Problem)(nil); errors.As(err, &problem) {
		return fmt.Errorf("refused: %s", problem.Title)
	}
	if err != nil {
		return err
	}
	fmt.Println(order.ID, order.Status, price.Amount, price.Currency)
	return nil
}
