package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// store reads the orders' rows.
type store interface {
	// Order returns an order, or order.ErrNotFound.
	Order(ctx context.Context, id order.ID) (order.Order, error)
	// Orders returns a page of orders, newest first, and the cursor of the next page; order.ErrCursor for a cursor that
	// it did not hand out.
	Orders(ctx context.Context, q order.Query) ([]order.Order, string, error)
	// Timeline returns what happened to an order, or order.ErrNotFound.
	Timeline(ctx context.Context, id order.ID) ([]order.Entry, error)
	// Changes returns those of the orders to whose timeline something was added after the given entry.
	Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error)
}

// find returns an order as far as it is known: its row, or, in the moments before its saga has written one, what the
// saga was started with. It returns order.ErrNotFound when there is neither.
func (a *orders) find(ctx context.Context, id order.ID) (order.Order, error) {
	o, err := a.store.Order(ctx, id)
	if !errors.Is(err, order.ErrNotFound) {
		return o, err
	}
	s, err := a.engine.Describe(ctx, id)
	if err != nil {
		return order.Order{}, err
	}
	if s.Closed { // it may have written the row since we looked
		if o, err := a.store.Order(ctx, id); err == nil {
			return o, nil
		}
	}
	return pending(s), nil
}

// pending is the order that a saga was started with. Its version is below that of every row.
func pending(s temporalclient.Started) order.Order {
	return order.Order{
		ID: s.Request.ID, UserID: s.Request.UserID, Status: order.Pending, Items: order.Unpriced(s.Request.Items),
		Hash: s.Request.Hash, CreatedAt: s.At, UpdatedAt: s.At,
	}
}

// findVisible is find for whoever asks: an order that is not theirs is not there.
func (a *orders) findVisible(ctx context.Context, id order.ID) (order.Order, error) {
	o, err := a.find(ctx, id)
	if err == nil && !principalOf(ctx).sees(o.UserID) {
		err = order.ErrNotFound
	}
	if err != nil {
		return order.Order{}, trouble(ctx, id, err)
	}
	return o, nil
}

// etag names the version of an order that a client has seen.
func etag(o order.Order) string { return fmt.Sprintf(`"%d"`, o.Version) }

// matches reports whether a header If-None-Match names the tag. GET compares weakly (RFC 9110, 13.1.2).
func matches(ifNoneMatch, tag string) bool {
	for t := range strings.SplitSeq(ifNoneMatch, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}
