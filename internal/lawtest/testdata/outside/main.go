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

// Trip is a workflow that runs a plan of the saga library.
func Trip(ctx workflow.Context) error {
	nothing := func(workflow.Context) error { return nil }
	plan := saga.Plan{
		Steps:  []saga.Step{{Name: "BookFlight", Do: nothing, Undo: saga.Undo{Name: "CancelFlight", Do: nothing}}},
		Pivot:  saga.Step{Name: "Confirm", Do: nothing},
		Fence:  func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
		Finish: saga.Step{Name: "RecordFailure", Do: nothing},
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
