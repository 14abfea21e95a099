package ordertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// NoteDispute records a dispute, or its newer state.
func (s Refunds) NoteDispute(_ context.Context, d order.Dispute) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if _, ok := s.m.orders[d.OrderID]; !ok {
		return fmt.Errorf("note dispute %s of order %s: %w", d.ID, d.OrderID, order.ErrNotFound)
	}
	known, ok := s.m.disputes[d.ID]
	d.Closed = d.Closed || d.Lost
	d.OpenedAt = cmp.Or(known.OpenedAt, d.OpenedAt, s.m.clock())
	if !d.Closed {
		d.ClosedAt = time.Time{}
	} else if d.ClosedAt.IsZero() {
		d.ClosedAt = s.m.clock()
	}
	d.OpenedAt, d.ClosedAt = d.OpenedAt.UTC().Truncate(time.Microsecond), d.ClosedAt.UTC().Truncate(time.Microsecond)
	if known.Closed || ok && known.Amount == d.Amount && known.Status == d.Status && known.Reason == d.Reason && !d.Closed {
		return nil
	}
	s.m.disputes[d.ID] = d
	entry := order.Entry{
		Detail: fmt.Sprintf("%s: %s, %s (dispute %s)", moneytext.Plain(d.Amount), d.Reason, d.Status, d.ID),
	}
	if !ok {
		entry.Type, entry.At = order.EntryDisputeOpened, d.OpenedAt
		s.m.add(d.OrderID, entry)
	}
	if d.Closed {
		entry.Type, entry.At = order.EntryDisputeClosed, d.ClosedAt
		s.m.add(d.OrderID, entry)
	}
	return nil
}

// Disputes returns the disputes of an order, oldest first.
func (s Refunds) Disputes(_ context.Context, id order.ID) ([]order.Dispute, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	disputes := slices.SortedFunc(maps.Values(s.m.disputes), func(a, b order.Dispute) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), strings.Compare(a.ID, b.ID))
	})
	return slices.DeleteFunc(disputes, func(d order.Dispute) bool { return d.OrderID != id }), nil
}
