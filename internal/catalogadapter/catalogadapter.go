// Package catalogadapter lets the saga's activities use the catalog: it translates between the orders' domain and the
// types of catalogclient. A final no of the catalog becomes an *order.Refusal. Every other error means that the catalog
// is broken or out of reach and that the call should be repeated, which is always safe.
package catalogadapter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Catalog is the catalog as activities see it.
type Catalog struct{ client *catalogclient.Client }

// New returns the catalog that the client calls.
func New(client *catalogclient.Client) *Catalog { return &Catalog{client} }

// PriceItems returns one priced line per item, in the items' order. It refuses unknown products (PRODUCT_NOT_FOUND) and
// names all of them. A line with PriceSeen has the last known price, because the catalog is down.
func (c *Catalog) PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error) {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ProductID
	}
	quotes, err := c.client.PriceProducts(ctx, ids)
	if err != nil {
		return nil, refusal(err)
	}
	lines := order.Unpriced(items)
	for i, q := range quotes {
		price, err := money.New(q.Price.Amount, q.Price.Currency)
		if err != nil {
			return nil, fmt.Errorf("price of product %s: %w", q.ProductID, err)
		}
		lines[i].Name, lines[i].Price, lines[i].PriceSeen = q.Name, price, q.SeenAt
	}
	return lines, nil
}

// Reserve holds all items for the order until expiresAt, or none. Calling it again returns what the first call did. It
// refuses when stock is short (OUT_OF_STOCK), when a product does not exist (PRODUCT_NOT_FOUND), and when the hold was
// already released or has expired (RESERVATION_LOST).
func (c *Catalog) Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error {
	lines := make([]catalogclient.Line, len(items))
	for i, item := range items {
		lines[i] = catalogclient.Line{ProductID: item.ProductID, Quantity: int64(item.Quantity)}
	}
	_, err := c.client.Reserve(ctx, string(id), lines, expiresAt)
	return refusal(err)
}

// Commit sells what the order holds. Calling it again succeeds. It refuses when the hold is gone (RESERVATION_LOST).
func (c *Catalog) Commit(ctx context.Context, id order.ID) error {
	_, err := c.client.Commit(ctx, string(id))
	return refusal(err)
}

// Return takes back some units that the order has bought, once per refund. Calling it again succeeds. It returns no refusal:
// the orders' books say how much may be returned, so a catalog that refuses (Contradiction) needs a person's attention.
func (c *Catalog) Return(ctx context.Context, id order.ID, refund order.RefundID, lines []order.ReturnLine) error {
	back := make([]catalogclient.ReturnLine, len(lines))
	for i, l := range lines {
		back[i] = catalogclient.ReturnLine{ProductID: l.ProductID, Quantity: int64(l.Quantity), WriteOff: int64(l.WriteOff)}
	}
	_, err := c.client.Return(ctx, string(id), string(refund), back)
	var p *catalogclient.Problem
	if errors.As(err, &p) && slices.Contains(contradictions, p.Type) {
		return &Contradiction{p}
	}
	return err
}

// contradictions are the responses to a return that the orders' books rule out.
var contradictions = []string{
	catalogclient.ReservationNotFound, catalogclient.ReservationNotSold, catalogclient.ReturnConflict, catalogclient.ReturnTooLarge,
}

// Contradiction is the error of a return that the catalog refuses: its books contradict the orders'.
type Contradiction struct{ Problem *catalogclient.Problem }

func (e *Contradiction) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the catalog's books contradict the orders': %s", e.Problem)
	for _, x := range e.Problem.Excesses {
		fmt.Fprintf(&b, "; product %s: %d returned, %d left", x.ProductID, x.Requested, x.Left)
	}
	return b.String()
}

func (e *Contradiction) Unwrap() error { return e.Problem }

// NeedsAttention reports that only a person can fix this.
func (*Contradiction) NeedsAttention() bool { return true }

// Release gives back what the order holds, or has bought and not returned, and makes every later Reserve of the order fail,
// even if there was nothing to release. Calling it again succeeds. The caller must have fenced the order.
func (c *Catalog) Release(ctx context.Context, id order.ID) error {
	_, err := c.client.Release(ctx, string(id))
	return err // a release cannot be refused
}

// refusal translates the catalog's final responses. Any other problem stays an error: a reservation with other lines, for
// example, is a mistake of ours that an operator has to see.
func refusal(err error) error {
	var p *catalogclient.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Type {
	case catalogclient.OutOfStock:
		r := order.Refuse(order.OutOfStock, "there is not enough of some of the products")
		for _, s := range p.Shortages {
			r.Cause.Shortages = append(r.Cause.Shortages, order.Shortage(s))
		}
		return r
	case catalogclient.ProductNotFound:
		r := order.Refuse(order.ProductNotFound, "some of the products do not exist")
		r.Cause.ProductIDs = p.ProductIDs
		return r
	case catalogclient.ReservationReleased:
		return order.Refuse(order.ReservationLost, "the reserved units were given back")
	case catalogclient.ReservationExpired:
		return order.Refuse(order.ReservationLost, "the reserved units were not bought in time")
	case catalogclient.ReservationNotFound:
		return order.Refuse(order.ReservationLost, "nothing is reserved for the order")
	}
	return err
}
