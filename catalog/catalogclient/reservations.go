package catalogclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Reserve holds all lines for the order until expiresAt, or none. Calling it again returns what the first call did.
//
// Problems: OutOfStock; ProductNotFound; ReservationReleased and ReservationExpired, if that has already happened to the
// order's reservation; ReservationConflict, if it has other lines.
func (c *Client) Reserve(ctx context.Context, orderID string, lines []Line, expiresAt time.Time) (Reservation, error) {
	var r Reservation
	err := c.call(ctx, http.MethodPut, path(orderID), ReservationRequest{Lines: lines, ExpiresAt: expiresAt.UTC()}, &r)
	c.forgetUnknown(err)
	return r, err
}

// Commit sells what the order holds. Calling it again succeeds.
//
// Problems: ReservationNotFound, ReservationReleased, ReservationExpired, OutOfStock.
func (c *Client) Commit(ctx context.Context, orderID string) (Reservation, error) {
	var r Reservation
	err := c.call(ctx, http.MethodPost, path(orderID)+"/commit", nil, &r)
	return r, err
}

// Return takes back some units that the order has bought, once per return ID, which is a UUID. Calling it again succeeds.
//
// Problems: ReservationNotFound; ReservationNotSold; ReturnTooLarge, if more comes back than is left of the sale;
// ReturnConflict, if the order has a return with this ID and other lines.
func (c *Client) Return(ctx context.Context, orderID, returnID string, lines []ReturnLine) (Reservation, error) {
	var r Reservation
	err := c.call(ctx, http.MethodPut, path(orderID)+"/returns/"+url.PathEscape(returnID), ReturnRequest{Lines: lines}, &r)
	return r, err
}

// Release gives back what the order holds, or has bought and not returned, and makes every later Reserve of the same order
// fail, even if there was nothing to release. Calling it again succeeds. The caller must have made sure that the order is
// not confirmed any more.
func (c *Client) Release(ctx context.Context, orderID string) (Reservation, error) {
	var r Reservation
	err := c.call(ctx, http.MethodDelete, path(orderID), nil, &r)
	return r, err
}

func path(orderID string) string { return "/reservations/" + url.PathEscape(orderID) }
