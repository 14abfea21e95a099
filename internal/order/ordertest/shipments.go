package ordertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Shipments are the shipments of the orders in a Memory. They pass the contract in internal/postgres as well.
type Shipments struct{ m *Memory }

// Shipments returns the shipments of the store's orders.
func (m *Memory) Shipments() Shipments { return Shipments{m} }

// Ship decides about a shipment, or returns the existing one.
func (s Shipments) Ship(_ context.Context, req order.ShipmentRequest) (order.Shipment, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if known, ok := s.m.shipments[req.ID]; ok {
		return clone(known), nil
	}
	if err := req.Check(); err != nil {
		return order.Shipment{}, fmt.Errorf("ship %s: %w", req.ID, err)
	}
	o, ok := s.m.orders[req.OrderID]
	if !ok {
		return order.Shipment{}, fmt.Errorf("ship %s: %w", req.ID, order.ErrNotFound)
	}
	now := s.m.clock()
	shipment := order.Shipment{
		ID: req.ID, OrderID: o.ID, UserID: o.UserID, Status: order.Shipped, Carrier: req.Carrier, Tracking: req.Tracking,
		Subject: req.Subject, Hash: req.Hash, Version: 1, ShippedAt: now, UpdatedAt: now, Lines: []order.ShipmentLine{},
	}
	var short []order.LineLeft
	b := booking{order: o, refunds: s.m.refundsOf(o.ID), shipments: s.m.shipmentsOf(o.ID)}
	for _, it := range slices.SortedFunc(slices.Values(req.Items), func(a, b order.ShipmentItem) int { return a.Line - b.Line }) {
		left := 0
		if it.Line <= len(o.Items) {
			l := o.Items[it.Line-1]
			left = l.Quantity - b.back(it.Line, order.Cancellation).units - b.shipped(it.Line)
			shipment.Lines = append(shipment.Lines, order.ShipmentLine{
				Line: it.Line, ProductID: l.ProductID, Name: l.Name, Quantity: it.Quantity,
			})
		}
		if it.Quantity > left {
			short = append(short, order.LineLeft{Line: it.Line, Asked: it.Quantity, Left: left})
		}
	}
	if shipment.Cause = refusedShipment(o, short); shipment.Cause != nil {
		shipment.Status, shipment.Settled = order.ShipmentRefused, true
	}
	return clone(s.store(shipment)), nil
}

func refusedShipment(o order.Order, short []order.LineLeft) *order.RefundCause {
	switch {
	case o.Status != order.Confirmed:
		cause := order.RefusalsOfShipping[order.OrderNotConfirmed]
		return &cause
	case len(short) > 0:
		cause := order.RefusalsOfShipping[order.QuantityTooLarge]
		cause.Lines = short
		return &cause
	}
	return nil
}

// store stores a shipment with an entry of the timeline for its status.
func (s Shipments) store(shipment order.Shipment) order.Shipment {
	s.m.shipments[shipment.ID] = clone(shipment)
	if shipment.Status != order.ShipmentRefused {
		sent := strings.TrimSpace(shipment.Carrier + " " + shipment.Tracking)
		s.m.add(shipment.OrderID, order.Entry{
			Type: order.EntryType(shipment.Status), At: shipment.UpdatedAt, Detail: fmt.Sprintf("%s (shipment %s)", sent, shipment.ID),
		})
	}
	return shipment
}

// Arrive ends a shipment.
func (s Shipments) Arrive(_ context.Context, id order.ShipmentID, status order.ShipmentStatus) (order.Shipment, error) {
	if status != order.Delivered && status != order.LostInTransit {
		return order.Shipment{}, fmt.Errorf("end shipment %s: %q is no end", id, status)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	known, ok := s.m.shipments[id]
	shipment := clone(known)
	switch {
	case !ok:
		return order.Shipment{}, fmt.Errorf("end shipment %s: %w", id, order.ErrNotFound)
	case shipment.Status == status:
		return shipment, nil
	case shipment.Status != order.Shipped:
		return shipment, fmt.Errorf("end shipment %s as %s, which is %s: %w", id, status, shipment.Status, order.ErrConflict)
	}
	shipment.Status, shipment.Settled = status, false
	s.change(&shipment)
	if status == order.Delivered {
		shipment.DeliveredAt = shipment.UpdatedAt
	} else {
		shipment.LostAt = shipment.UpdatedAt
	}
	return clone(s.store(shipment)), nil
}

func (s Shipments) change(shipment *order.Shipment) {
	shipment.Version++
	if now := s.m.clock(); now.After(shipment.UpdatedAt) {
		shipment.UpdatedAt = now
	}
}

// FinishShipment marks a shipment as settled.
func (s Shipments) FinishShipment(_ context.Context, id order.ShipmentID, version int64) (order.Shipment, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	known, ok := s.m.shipments[id]
	if !ok {
		return order.Shipment{}, fmt.Errorf("finish shipment %s: %w", id, order.ErrNotFound)
	}
	shipment := clone(known)
	if shipment.Version == version && !shipment.Settled {
		shipment.Settled = true
		s.change(&shipment)
		s.m.shipments[id] = clone(shipment)
	}
	return shipment, nil
}

// Shipment returns a shipment, or order.ErrNotFound.
func (s Shipments) Shipment(_ context.Context, id order.ShipmentID) (order.Shipment, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	shipment, ok := s.m.shipments[id]
	if !ok {
		return order.Shipment{}, fmt.Errorf("read shipment %s: %w", id, order.ErrNotFound)
	}
	return clone(shipment), nil
}

// OfOrder returns the shipments of an order, newest last.
func (s Shipments) OfOrder(_ context.Context, id order.ID) ([]order.Shipment, error) {
	return s.list(func(shipment order.Shipment) bool { return shipment.OrderID == id },
		func(s order.Shipment) time.Time { return s.ShippedAt }), nil
}

// Unsettled returns a page of the shipments that are not announced as they are, oldest first.
func (s Shipments) Unsettled(
	_ context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Shipment, string, error) {
	rows := s.list(func(shipment order.Shipment) bool {
		return !shipment.Settled && !shipment.UpdatedAt.After(s.m.clock().Add(-minAge))
	}, func(s order.Shipment) time.Time { return s.UpdatedAt })
	return pageOf(rows, cursor, limit, func(s order.Shipment) string { return string(s.ID) })
}

func (s Shipments) list(match func(order.Shipment) bool, at func(order.Shipment) time.Time) []order.Shipment {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	rows := slices.SortedFunc(maps.Values(s.m.shipments), func(a, b order.Shipment) int {
		return cmp.Or(at(a).Compare(at(b)), strings.Compare(string(a.ID), string(b.ID)))
	})
	rows = slices.DeleteFunc(rows, func(shipment order.Shipment) bool { return !match(shipment) })
	for i := range rows {
		rows[i] = clone(rows[i])
	}
	return rows
}

// shipmentsOf returns the shipments of an order that were not refused.
func (m *Memory) shipmentsOf(id order.ID) []order.Shipment {
	var shipments []order.Shipment
	for _, s := range m.shipments {
		if s.OrderID == id && s.Status != order.ShipmentRefused {
			shipments = append(shipments, s)
		}
	}
	return shipments
}

// withBooks returns a copy of an order with what its refunds and shipments say.
func (m *Memory) withBooks(o order.Order) order.Order {
	o = clone(o)
	for _, r := range m.refundsOf(o.ID) {
		o.BooksVersion += r.Version
		if r.Status == order.RefundPending || r.Status == order.RefundSucceeded {
			o.Refunded.Amount += r.Amount.Amount
		}
		if !r.Status.Accepted() || r.Late {
			continue
		}
		for _, l := range r.Lines {
			o.Items[l.Line-1].Returned += l.Quantity
			if r.Kind == order.Cancellation {
				o.Items[l.Line-1].Cancelled += l.Quantity
			}
		}
	}
	if o.Refunded.Amount > 0 {
		o.Refunded.Currency = o.Total.Currency
	}
	for _, s := range m.shipments {
		if s.OrderID != o.ID {
			continue
		}
		o.BooksVersion += s.Version
		for _, l := range s.Lines {
			if s.Status != order.ShipmentRefused {
				o.Items[l.Line-1].Shipped += l.Quantity
			}
			if s.Status == order.Delivered {
				o.Items[l.Line-1].Delivered += l.Quantity
			}
		}
	}
	return o
}
