package orderclient

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
)

// Refund asks for a refund of a confirmed order and returns it: PENDING, SUCCEEDED or FAILED, or REQUESTED or BOOKED if the
// gateway has not answered in time. A refusal is a *Problem. It takes the options of Place; after any other error it is safe
// to ask again under the same key. The token must be an operator's.
func (c *Client) Refund(ctx context.Context, orderID string, refund NewRefund, options ...PlaceOption) (*Refund, error) {
	header := http.Header{"Idempotency-Key": {rand.Text()}}
	for _, o := range options {
		o(header)
	}
	return c.refund(ctx, http.MethodPost, orderPath(orderID)+"/refunds", refund, header)
}

// GetRefund returns a refund of an order.
func (c *Client) GetRefund(ctx context.Context, orderID, refundID string) (*Refund, error) {
	return c.refund(ctx, http.MethodGet, orderPath(orderID)+"/refunds/"+url.PathEscape(refundID), nil, nil)
}

// Refunds returns the refunds of an order, oldest first.
func (c *Client) Refunds(ctx context.Context, orderID string) ([]Refund, error) {
	var list RefundList
	_, err := c.call(ctx, http.MethodGet, orderPath(orderID)+"/refunds", nil, nil, &list)
	return list.Refunds, err
}

func (c *Client) refund(ctx context.Context, method, path string, body any, header http.Header) (*Refund, error) {
	var r Refund
	res, err := c.call(ctx, method, path, body, header, &r)
	if err != nil {
		return nil, err
	}
	r.Replayed = res.Header.Get("Idempotency-Replayed") == "true"
	return &r, nil
}
