package activities

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ordersaga/ordersaga/internal/order"
)

// What follows says of a result whether it is possible. A workflow takes an impossible one for a broken attempt: an operator may
// have completed the activity by hand (`temporal activity complete`), or a system responded with nothing.

// Done is the result of a step that has nothing else to say. It names the order, so that nothing is not a possible result.
type Done struct {
	OrderID order.ID `json:"orderId"`
}

// done is the result of a step that returned err. The rest says what was being done, as translate wants it.
func done(id order.ID, err error, what string, args ...any) (Done, error) {
	if err != nil {
		return Done{}, translate(err, what, args...)
	}
	return Done{id}, nil
}

// Check reports why the step cannot have been done for the order.
func (d Done) Check(id order.ID) error {
	if d.OrderID != id {
		return fmt.Errorf("it names the order %q", d.OrderID)
	}
	return nil
}

// Check reports why these cannot be the prices of the items.
func (r PriceItemsResult) Check(items []order.Item) error {
	if !slices.Equal(order.Items(r.Lines), items) {
		return errors.New("the lines are not the items that were asked for")
	}
	return order.Order{Items: r.Lines, Total: r.Total}.CheckTotal()
}

// Check reports why this cannot be a payment that was taken.
func (r ChargePaymentResult) Check() error {
	if r.PaymentID == "" {
		return errors.New("it names no payment")
	}
	return nil
}

// CheckRow reports why o cannot be the row of the order.
func CheckRow(o order.Order, id order.ID) error {
	switch {
	case o.ID != id:
		return fmt.Errorf("it is the row of order %q", o.ID)
	case len(o.Items) == 0:
		return errors.New("the row has no lines")
	}
	return ProgressOf(o).Check()
}

// Check reports why no row can have progressed like this.
func (p Progress) Check() error {
	switch {
	case p.Status != order.Pending && !p.Status.Final():
		return fmt.Errorf("no row has the status %q", p.Status)
	case p.UpdatedAt.IsZero():
		return errors.New("the row was never written")
	case (p.Closing || p.Status == order.Failed || p.Status == order.Cancelled) != (p.Cause != nil):
		return fmt.Errorf("a row that is %s, closing %t, has the cause %v", p.Status, p.Closing, p.Cause)
	}
	return nil
}

// CheckDecided is Check of a row after a transition that decides how the order ends.
func (p Progress) CheckDecided() error {
	if err := p.Check(); err != nil {
		return err
	}
	if p.Status == order.Pending && !p.Closing {
		return errors.New("the row is undecided")
	}
	return nil
}
