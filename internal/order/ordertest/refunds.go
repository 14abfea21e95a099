package ordertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Refunds are the refunds and disputes of the orders in a Memory. They pass the contract in internal/postgres as well.
type Refunds struct{ m *Memory }

// Refunds returns the refunds of the store's orders.
func (m *Memory) Refunds() Refunds { return Refunds{m} }

// refund is a stored refund with what callers do not see.
type refund struct {
	order.Refund
	lookedAt time.Time
}

// Book decides about a request, or returns the existing refund.
func (s Refunds) Book(_ context.Context, req order.RefundRequest) (order.Refund, error) {
	return s.book("book", req, nil)
}

// Fence refuses a request that was not booked.
func (s Refunds) Fence(_ context.Context, req order.RefundRequest, cause order.RefundCause) (order.Refund, error) {
	return s.book("fence", req, &cause)
}

func (s Refunds) book(verb string, req order.RefundRequest, cause *order.RefundCause) (order.Refund, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if r, ok := s.m.refunds[req.ID]; ok {
		return clone(r.Refund), nil
	}
	if err := req.Check(); err != nil {
		return order.Refund{}, fmt.Errorf("%s refund %s: %w", verb, req.ID, err)
	}
	o, ok := s.m.orders[req.OrderID]
	if !ok {
		return order.Refund{}, fmt.Errorf("%s refund %s: %w", verb, req.ID, order.ErrNotFound)
	}
	b := s.m.bookingOf(o, req)
	if cause == nil {
		cause = b.refusal()
	}
	now := s.m.clock()
	r := order.Refund{
		ID: req.ID, OrderID: o.ID, UserID: o.UserID, Kind: req.Kind, By: req.By, Subject: req.Subject, Money: req.Money,
		Amount: b.amount(), Status: order.RefundBooked, Cause: cause, Lines: b.lines(), PaymentID: o.PaymentID,
		OrderedAt: o.CreatedAt, Reason: req.Reason, Message: req.Message, Hash: req.Hash, Replaces: req.Replaces,
		Units: order.UnitsNone, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	switch {
	case cause != nil:
		r.Status, r.Settled, r.RefusedAt = order.RefundRefused, true, now
	case len(r.Lines) > 0:
		r.Units = order.UnitsDue
	}
	return clone(s.m.storeRefund(r)), nil
}

// Settle records what the gateway said.
func (s Refunds) Settle(_ context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error) {
	if err := outcome.Check(); err != nil {
		return order.Refund{}, fmt.Errorf("settle refund %s: %w", id, err)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.settle(id, outcome)
}

func (s Refunds) settle(id order.RefundID, outcome order.RefundOutcome) (order.Refund, error) {
	stored, ok := s.m.refunds[id]
	if !ok {
		return order.Refund{}, fmt.Errorf("settle refund %s: %w", id, order.ErrNotFound)
	}
	r := clone(stored.Refund)
	if r.Status.Rank() >= outcome.Status.Rank() {
		return r, nil
	}
	r.Late = r.Late || r.Status == order.RefundRefused
	r.Status, r.Cause, r.Settled = outcome.Status, outcome.Why(), false
	r.GatewayID = cmp.Or(r.GatewayID, outcome.GatewayID)
	s.m.changeRefund(&r)
	if r.Status.Accepted() && r.AcceptedAt.IsZero() {
		r.AcceptedAt = r.UpdatedAt
	}
	switch r.Status {
	case order.RefundRefused:
		r.RefusedAt, r.Units = r.UpdatedAt, order.UnitsNone
	case order.RefundFailed:
		r.FailedAt = r.UpdatedAt
	}
	return clone(s.m.storeRefund(r)), nil
}

// BookOutside records a refund that was made at the gateway.
func (s Refunds) BookOutside(_ context.Context, id order.ID, found order.GatewayRefund) (order.Refund, error) {
	outcome, refundID := found.Outcome(), order.OutsideRefundID(found.ID)
	if err := cmp.Or(outcome.Check(), found.Amount.Validate()); err != nil {
		return order.Refund{}, fmt.Errorf("book refund %s, made at the gateway: %w", found.ID, err)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	o := s.m.orders[id]
	_, known := s.m.refunds[refundID]
	if !known && o.Status == order.Confirmed && o.PaymentID == found.PaymentID && o.Total.Currency == found.Amount.Currency {
		now := s.m.clock()
		s.m.refunds[refundID] = refund{order.Refund{
			ID: refundID, OrderID: id, UserID: o.UserID, Kind: order.Outside, By: order.ByGateway, Money: order.ThroughGateway,
			Amount: found.Amount, Status: order.RefundBooked, PaymentID: o.PaymentID, OrderedAt: o.CreatedAt,
			GatewayID: found.ID, Units: order.UnitsNone, Version: 1, CreatedAt: now, UpdatedAt: now,
		}, now}
	}
	return s.settle(refundID, outcome)
}

// ReturnedUnits records what became of the units.
func (s Refunds) ReturnedUnits(_ context.Context, id order.RefundID, units order.UnitsStatus) (order.Refund, error) {
	if units != order.UnitsDone && units != order.UnitsSkipped {
		return order.Refund{}, fmt.Errorf("return the units of refund %s: unknown status %q", id, units)
	}
	return s.update(id, func(r *order.Refund) bool {
		due := r.Units == order.UnitsDue && r.Status.Accepted()
		if due {
			r.Units = units
		}
		return due
	})
}

// Finish marks a refund as settled.
func (s Refunds) Finish(_ context.Context, id order.RefundID, version int64) (order.Refund, error) {
	return s.update(id, func(r *order.Refund) bool {
		rests := r.Version == version && !r.Settled && r.Status != order.RefundBooked && r.Units != order.UnitsDue
		r.Settled = r.Settled || rests
		return rests
	})
}

// update applies a transition that adds nothing to the timeline and reports whether it changed the refund.
func (s Refunds) update(id order.RefundID, change func(*order.Refund) bool) (order.Refund, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	stored, ok := s.m.refunds[id]
	if !ok {
		return order.Refund{}, fmt.Errorf("change refund %s: %w", id, order.ErrNotFound)
	}
	if r := clone(stored.Refund); change(&r) {
		s.m.changeRefund(&r)
		s.m.refunds[id] = refund{clone(r), stored.lookedAt}
	}
	return clone(s.m.refunds[id].Refund), nil
}

// Refund returns a refund, or order.ErrNotFound.
func (s Refunds) Refund(_ context.Context, id order.RefundID) (order.Refund, error) {
	return s.update(id, func(*order.Refund) bool { return false })
}

// OfOrder returns the refunds of an order, newest last.
func (s Refunds) OfOrder(_ context.Context, id order.ID) ([]order.Refund, error) {
	return s.list(0, func(r refund) bool { return r.OrderID == id },
		func(r refund) time.Time { return r.CreatedAt }), nil
}

// Answered returns those of the refunds that are no longer BOOKED.
func (s Refunds) Answered(_ context.Context, ids []order.RefundID) ([]order.Refund, error) {
	return s.list(0, func(r refund) bool { return slices.Contains(ids, r.ID) && r.Status != order.RefundBooked },
		func(r refund) time.Time { return r.CreatedAt }), nil
}

// Unsettled returns a page of the refunds that are not at rest, oldest first.
func (s Refunds) Unsettled(
	_ context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Refund, string, error) {
	rows := s.list(0, func(r refund) bool {
		return !r.Settled && !r.UpdatedAt.After(s.m.clock().Add(-minAge))
	}, func(r refund) time.Time { return r.UpdatedAt })
	return pageOf(rows, cursor, limit, func(r order.Refund) string { return string(r.ID) })
}

// Pending returns the PENDING refunds that were not looked up for minAge.
func (s Refunds) Pending(_ context.Context, minAge time.Duration, limit int) ([]order.Refund, error) {
	return s.list(order.PageSize(limit), func(r refund) bool {
		return r.Status == order.RefundPending && !r.lookedAt.After(s.m.clock().Add(-minAge))
	}, func(r refund) time.Time { return r.lookedAt }), nil
}

// Looked records that a refund was looked up.
func (s Refunds) Looked(_ context.Context, id order.RefundID) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	r, ok := s.m.refunds[id]
	if !ok {
		return fmt.Errorf("note the look-up of refund %s: %w", id, order.ErrNotFound)
	}
	r.lookedAt = s.m.clock()
	s.m.refunds[id] = r
	return nil
}

// list returns the refunds that match, sorted by a time, and at most limit of them (0: all).
func (s Refunds) list(limit int, match func(refund) bool, at func(refund) time.Time) []order.Refund {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	rows := slices.SortedFunc(maps.Values(s.m.refunds), func(a, b refund) int {
		return cmp.Or(at(a).Compare(at(b)), strings.Compare(string(a.ID), string(b.ID)))
	})
	rows = slices.DeleteFunc(rows, func(r refund) bool { return !match(r) })
	if limit > 0 {
		rows = rows[:min(limit, len(rows))]
	}
	refunds := make([]order.Refund, len(rows))
	for i, r := range rows {
		refunds[i] = clone(r.Refund)
	}
	return refunds
}

// pageOf cuts a page out of sorted rows. A cursor is the ID of the last row of the page before it.
func pageOf[T any](rows []T, cursor string, limit int, id func(T) string) ([]T, string, error) {
	if cursor != "" {
		i := slices.IndexFunc(rows, func(row T) bool { return id(row) == cursor })
		if i < 0 {
			return nil, "", order.ErrCursor
		}
		rows = rows[i+1:]
	}
	if size := order.PageSize(limit); len(rows) > size {
		return rows[:size], id(rows[size-1]), nil
	}
	return rows, "", nil
}

// Balances returns what the books say about the money of the CONFIRMED orders.
func (s Refunds) Balances(ctx context.Context, ids []order.ID) ([]order.Balance, error) {
	var balances []order.Balance
	for _, id := range ids {
		o, err := s.m.Order(ctx, id)
		if err != nil || o.Status != order.Confirmed {
			continue
		}
		b := order.Balance{OrderID: id, Kept: o.Total, Owed: money.Money{Currency: o.Total.Currency}}
		refunds, _ := s.OfOrder(ctx, id)
		for _, r := range refunds {
			if r.Money == order.ThroughGateway && (r.Status == order.RefundPending || r.Status == order.RefundSucceeded) {
				b.Kept.Amount -= r.Amount.Amount
			}
			if r.Status == order.RefundFailed && !replaced(refunds, r.ID) {
				b.Owed.Amount += r.Amount.Amount
			}
			if !r.Settled && r.UpdatedAt.After(b.Unsettled) {
				b.Unsettled = r.UpdatedAt
			}
			if r.Units == order.UnitsSkipped {
				b.Skipped = append(b.Skipped, r.ID)
			}
		}
		balances = append(balances, b)
	}
	return balances, nil
}

func replaced(refunds []order.Refund, id order.RefundID) bool {
	return slices.ContainsFunc(refunds, func(r order.Refund) bool {
		return r.Replaces == id && r.Status != order.RefundRefused && !r.Late
	})
}

// changeRefund counts a change of a refund.
func (m *Memory) changeRefund(r *order.Refund) {
	r.Version++
	if now := m.clock(); now.After(r.UpdatedAt) {
		r.UpdatedAt = now
	}
}

// storeRefund stores a refund with an entry of the timeline for its status.
func (m *Memory) storeRefund(r order.Refund) order.Refund {
	stored := refund{clone(r), r.CreatedAt}
	if known, ok := m.refunds[r.ID]; ok {
		stored.lookedAt = known.lookedAt
	}
	m.refunds[r.ID] = stored
	did := order.EntryType("REFUND_" + string(r.Status))
	if r.Status == order.RefundPending {
		did = order.EntryRefundAccepted
	}
	detail := fmt.Sprintf("%s of %s", r.Kind, moneytext.Plain(r.Amount))
	if r.Cause != nil {
		detail += ": " + string(r.Cause.Reason)
	}
	m.add(r.OrderID, order.Entry{Type: did, At: r.UpdatedAt, Detail: fmt.Sprintf("%s (refund %s)", detail, r.ID)})
	return r
}
