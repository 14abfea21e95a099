package catalogclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Reserve holds all items for the order until expiresAt, or none. A repetition answers what the first call did. Refused
// when stock is short (OUT_OF_STOCK), when a product is gone (PRODUCT_NOT_FOUND), and when the hold was already released
// or has expired (RESERVATION_LOST).
func (c *Client) Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error {
	req := ReservationRequest{ExpiresAt: expiresAt.UTC()}
	for _, it := range items {
		req.Lines = append(req.Lines, Line{ProductID: it.ProductID, Quantity: int64(it.Quantity)})
	}
	return c.refusal(c.call(ctx, http.MethodPut, path(id), req, nil))
}

// Commit turns the order's hold into a sale. A repetition succeeds. Refused when there is no hold any more
// (RESERVATION_LOST).
func (c *Client) Commit(ctx context.Context, id order.ID) error {
	return c.refusal(c.call(ctx, http.MethodPost, path(id)+"/commit", nil, nil))
}

// Release gives back what the order holds or has bought, and refuses any later Reserve of the same order, also when
// there was nothing to release. A repetition succeeds. The caller has fenced the order.
func (c *Client) Release(ctx context.Context, id order.ID) error {
	return c.call(ctx, http.MethodDelete, path(id), nil, nil)
}

func path(id order.ID) string { return "/reservations/" + string(id) }

// refusal translates the catalog's final answers about a reservation into the orders' language. What it does not know
// stays an error: a reservation with other lines, say, is a mistake of ours that an operator has to see.
func (c *Client) refusal(err error) error {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch {
	case p.IsType(OutOfStock):
		r := order.Refuse(order.OutOfStock, "there is not enough of some of the products")
		var short []Shortage
		p.Extension("shortages", &short)
		for _, s := range short {
			r.Cause.Shortages = append(r.Cause.Shortages, order.Shortage(s))
		}
		return r
	case p.IsType(ProductNotFound):
		return c.unknownProducts(p)
	case p.IsType(ReservationReleased):
		return order.Refuse(order.ReservationLost, "the reserved units were given back")
	case p.IsType(ReservationExpired):
		return order.Refuse(order.ReservationLost, "the reserved units were not bought in time")
	case p.IsType(ReservationNotFound):
		return order.Refuse(order.ReservationLost, "nothing is reserved for the order")
	}
	return err
}
