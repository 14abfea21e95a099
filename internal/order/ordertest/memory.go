// Package ordertest is test support for the domain's outside systems: a store of orders, the catalog and the payment gateway.
// For each it has a fake in memory. The suites of tests that the real adapters pass run over these fakes as well.
package ordertest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// NewOrder returns a priced order of two lines (29.97 USD) with a new ID, ready to be created.
func NewOrder(userID int64) order.Order {
	return order.Order{
		ID: order.ID(uuid.NewString()), UserID: userID, PaymentMethod: "pm_card_visa", Hash: "c0ffee",
		Items: []order.Line{
			{ProductID: "mug", Name: "Mug", Quantity: 2, Price: money.Money{Amount: 999, Currency: "USD"}},
			{ProductID: "tea", Name: "Tea", Quantity: 1, Price: money.Money{Amount: 999, Currency: "USD"}},
		},
		Total: money.Money{Amount: 2997, Currency: "USD"},
	}
}

// Memory is a store of orders, for tests of code that needs one. It is safe for concurrent use. It passes the contract in
// internal/postgres, so it behaves like the real store.
type Memory struct {
	mu        sync.Mutex
	now       func() time.Time
	orders    map[order.ID]order.Order
	timelines map[order.ID][]order.StoredEntry
	last      int64           // ID of the newest entry
	keys      map[string]bool // of appended entries, by order and key
	refunds   map[order.RefundID]refund
	disputes  map[string]order.Dispute
	shipments map[order.ShipmentID]order.Shipment
}

// NewMemory returns an empty store whose clock is now (time.Now, or the clock of a test environment).
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, orders: map[order.ID]order.Order{}, timelines: map[order.ID][]order.StoredEntry{},
		keys: map[string]bool{}, refunds: map[order.RefundID]refund{}, disputes: map[string]order.Dispute{},
		shipments: map[order.ShipmentID]order.Shipment{}}
}

// Create stores a PENDING order, prices an existing one that has no prices, or returns it.
func (m *Memory) Create(_ context.Context, o order.Order) (order.Order, error) {
	if err := o.CheckPrices(); err != nil {
		return order.Order{}, fmt.Errorf("create order %s: %w", o.ID, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.orders[o.ID]
	switch {
	case !ok:
		m.insert(order.Order{
			ID: o.ID, UserID: o.UserID, Items: o.Items, Total: o.Total, PaymentMethod: o.PaymentMethod, Hash: o.Hash,
			CreatedAt: o.CreatedAt,
		}, order.EntryCreated, nil)
	case !row.Decided() && !row.Priced() && o.Priced():
		row.Items, row.Total = o.Items, o.Total
		m.update(row, order.EntryPriced, nil)
	}
	return clone(m.orders[o.ID]), nil
}

// Confirm is the pivot.
func (m *Memory) Confirm(
	_ context.Context, id order.ID, paymentID string, entries []order.Entry,
) (order.Order, error) {
	return m.change("confirm", id, func(o *order.Order) (order.EntryType, error) {
		switch {
		case o.Status != order.Pending || o.Closing:
			return "", nil
		case paymentID == "":
			return "", errors.New("the payment has no ID")
		}
		o.Status, o.PaymentID = order.Confirmed, paymentID
		return order.EntryConfirmed, o.CheckTotal()
	}, entries)
}

// Close is the fence.
func (m *Memory) Close(
	_ context.Context, req order.Request, cause order.Cause, entries []order.Entry,
) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[req.ID]
	switch {
	case !ok:
		m.insert(order.Order{
			ID: req.ID, UserID: req.UserID, Items: order.Unpriced(req.Items), PaymentMethod: req.PaymentMethod,
			Hash: req.Hash, Closing: true, Cause: &cause, CreatedAt: req.CreatedAt,
		}, order.EntryClosing, entries)
	case o.Status == order.Pending && !o.Closing:
		o.Closing, o.Cause = true, &cause
		m.update(o, order.EntryClosing, entries)
	}
	return clone(m.orders[req.ID]), nil
}

// Finish ends a closing order.
func (m *Memory) Finish(_ context.Context, id order.ID, entries []order.Entry) (order.Order, error) {
	return m.change("finish", id, func(o *order.Order) (order.EntryType, error) {
		if o.Status != order.Pending || !o.Closing {
			return "", nil
		}
		o.Status = o.Cause.Reason.FinalStatus()
		return order.EntryType(o.Status), nil
	}, entries)
}

// change applies a guarded transition, which returns the entry type for what it did, or "" when it did nothing.
func (m *Memory) change(
	verb string, id order.ID, transition func(*order.Order) (order.EntryType, error), entries []order.Entry,
) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[id]
	if !ok {
		return order.Order{}, fmt.Errorf("%s order %s: %w", verb, id, order.ErrNotFound)
	}
	did, err := transition(&o)
	if err != nil {
		return order.Order{}, fmt.Errorf("%s order %s: %w", verb, id, err)
	}
	if did != "" {
		m.update(o, did, entries)
	}
	return clone(m.orders[id]), nil
}

func (m *Memory) insert(o order.Order, did order.EntryType, entries []order.Entry) {
	o.Status, o.Version, o.UpdatedAt = order.Pending, 1, m.clock()
	if o.CreatedAt.IsZero() {
		o.CreatedAt = o.UpdatedAt
	}
	if o.CreatedAt.After(o.UpdatedAt) {
		o.UpdatedAt = o.CreatedAt
	}
	m.store(o, did, entries)
}

func (m *Memory) update(o order.Order, did order.EntryType, entries []order.Entry) {
	o.Version++
	if now := m.clock(); now.After(o.UpdatedAt) {
		o.UpdatedAt = now
	}
	m.store(o, did, entries)
}

func (m *Memory) store(o order.Order, did order.EntryType, entries []order.Entry) {
	m.orders[o.ID] = clone(o)
	for _, e := range entries {
		m.add(o.ID, e)
	}
	m.add(o.ID, order.Entry{Type: did, At: o.UpdatedAt})
}

func (m *Memory) add(id order.ID, e order.Entry) {
	m.last++
	e.At = e.At.UTC().Truncate(time.Microsecond)
	m.timelines[id] = append(m.timelines[id], order.StoredEntry{ID: m.last, Entry: e})
}

// clock returns the time with the database's resolution.
func (m *Memory) clock() time.Time { return m.now().UTC().Truncate(time.Microsecond) }

// Decided returns those of the orders with a known end.
func (m *Memory) Decided(_ context.Context, ids []order.ID) ([]order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var decided []order.Order
	for _, id := range ids {
		if o, ok := m.orders[id]; ok && o.Decided() {
			decided = append(decided, clone(o))
		}
	}
	return decided, nil
}

// Order returns an order, or order.ErrNotFound.
func (m *Memory) Order(_ context.Context, id order.ID) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[id]
	if !ok {
		return order.Order{}, fmt.Errorf("read order %s: %w", id, order.ErrNotFound)
	}
	return m.withBooks(o), nil
}

// Orders returns a page of orders, newest first.
func (m *Memory) Orders(_ context.Context, q order.Query) ([]order.Order, string, error) {
	return m.page(q.Cursor, q.PageSize(), newestFirst, func(o order.Order) bool {
		return (q.UserID == 0 || o.UserID == q.UserID) && (q.Status == "" || o.Status == q.Status) &&
			(q.ProductID == "" || slices.ContainsFunc(o.Items, func(l order.Line) bool { return l.ProductID == q.ProductID })) &&
			!o.CreatedAt.Before(q.From) && (q.To.IsZero() || o.CreatedAt.Before(q.To))
	})
}

// Unfinished returns a page of PENDING orders, oldest first.
func (m *Memory) Unfinished(
	_ context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Order, string, error) {
	return m.page(cursor, order.PageSize(limit), oldestFirst, func(o order.Order) bool {
		return o.Status == order.Pending && !o.CreatedAt.After(m.clock().Add(-minAge))
	})
}

func oldestFirst(a, b order.Order) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(string(a.ID), string(b.ID)))
}

func newestFirst(a, b order.Order) int { return oldestFirst(b, a) }

func (m *Memory) page(
	cursor string, size int, compare func(a, b order.Order) int, match func(order.Order) bool,
) ([]order.Order, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, ok := m.orders[order.ID(cursor)] // a cursor is the ID of the last order of its page
	if cursor != "" && !ok {
		return nil, "", order.ErrCursor
	}
	var page []order.Order
	for _, o := range m.orders {
		if match(o) && (cursor == "" || compare(o, after) > 0) {
			page = append(page, m.withBooks(o))
		}
	}
	slices.SortFunc(page, compare)
	if len(page) <= size {
		return page, "", nil
	}
	return page[:size], string(page[size-1].ID), nil
}

// Timeline returns what happened to an order, or order.ErrNotFound.
func (m *Memory) Timeline(_ context.Context, id order.ID) ([]order.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.orders[id]; !ok {
		return nil, fmt.Errorf("read the timeline of order %s: %w", id, order.ErrNotFound)
	}
	entries := make([]order.Entry, len(m.timelines[id]))
	for i, e := range m.timelines[id] {
		entries[i] = e.Entry
	}
	return entries, nil
}

// Changes returns the orders whose timeline has gained entries after the given one, with those entries.
func (m *Memory) Changes(_ context.Context, since map[order.ID]int64) ([]order.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var changes []order.Change
	for id, last := range since {
		entries := slices.Clone(m.timelines[id])
		entries = slices.DeleteFunc(entries, func(e order.StoredEntry) bool { return e.ID <= last })
		if len(entries) > 0 {
			changes = append(changes, order.Change{Order: clone(m.orders[id]), Entries: entries})
		}
	}
	return changes, nil
}

// AppendTimeline adds an entry to the timeline, once under its key.
func (m *Memory) AppendTimeline(_ context.Context, id order.ID, key string, e order.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.orders[id]; !ok {
		return fmt.Errorf("append %s to the timeline of order %s: %w", e.Type, id, order.ErrNotFound)
	}
	if name := string(id) + " " + key; !m.keys[name] {
		m.keys[name] = true
		m.add(id, e)
	}
	return nil
}

// clone makes a deep copy of a row through its JSON, so that no caller shares memory with the store.
func clone[T any](row T) T {
	b, err := json.Marshal(row)
	if err != nil {
		panic(fmt.Sprintf("copy %+v: %v", row, err))
	}
	var c T
	if err := json.Unmarshal(b, &c); err != nil {
		panic(fmt.Sprintf("copy %+v: %v", row, err))
	}
	return c
}
