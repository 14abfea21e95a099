package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ordersaga/ordersaga/internal/order"
)

// store reads the orders' rows.
type store interface {
	// Order returns an order, or order.ErrNotFound.
	Order(ctx context.Context, id order.ID) (order.Order, error)
	// Orders returns a page of orders, newest first, and the cursor of the next page. It returns order.ErrCursor for a
	// cursor that is not its own.
	Orders(ctx context.Context, q order.Query) ([]order.Order, string, error)
	// Timeline returns what happened to an order, or order.ErrNotFound.
	Timeline(ctx context.Context, id order.ID) ([]order.Entry, error)
	changeReader
}

// refundStore reads the rows of refunds.
type refundStore interface {
	// Refund returns a refund, or order.ErrNotFound.
	Refund(ctx context.Context, id order.RefundID) (order.Refund, error)
	// OfOrder returns the refunds of an order, newest last.
	OfOrder(ctx context.Context, id order.ID) ([]order.Refund, error)
}

// find returns an order: its row, or the input of its saga until the saga has written the row. It returns
// order.ErrNotFound if there is neither.
func (a *orders) find(ctx context.Context, id order.ID) (order.Order, error) {
	o, err := a.store.Order(ctx, id)
	if !errors.Is(err, order.ErrNotFound) {
		return o, err
	}
	s, err := a.engine.Describe(ctx, id)
	if err != nil {
		return order.Order{}, err
	}
	if s.Closed { // the saga may have written the row since the first look
		if o, err := a.store.Order(ctx, id); err == nil {
			return o, nil
		}
	}
	return pending(s.Request), nil
}

// pending returns an order without a row, from the input of its saga. Its version is lower than that of every row.
func pending(req order.Request) order.Order {
	return order.Order{
		ID: req.ID, UserID: req.UserID, Status: order.Pending, Items: order.Unpriced(req.Items),
		Hash: req.Hash, CreatedAt: req.CreatedAt, UpdatedAt: req.CreatedAt,
	}
}

// findVisible is find for the sender of a request. An order of another user is not found.
func (a *orders) findVisible(ctx context.Context, id order.ID) (order.Order, error) {
	o, err := a.find(ctx, id)
	if err == nil && !principalOf(ctx).sees(o.UserID) {
		err = order.ErrNotFound
	}
	if err != nil {
		return order.Order{}, toProblem(ctx, id, err)
	}
	return o, nil
}

// etag returns the ETag of an order with its books. Both versions only grow, and the order's own no longer when the other begins.
func etag(o order.Order) string { return fmt.Sprintf(`"%d"`, o.Version+o.BooksVersion) }

// matches reports whether a header If-None-Match names the tag. GET compares weakly (RFC 9110, section 13.1.2).
func matches(ifNoneMatch, tag string) bool {
	for t := range strings.SplitSeq(ifNoneMatch, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}
