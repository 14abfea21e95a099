package main

import "sync"

// Status is the status of an order.
type Status string

// The statuses of an order.
const (
	Pending   Status = "PENDING"
	Confirmed Status = "CONFIRMED" // by the pivot
	Closing   Status = "CLOSING"   // by the fence: it can no longer be confirmed
	Cancelled Status = "CANCELLED" // by the finishing step
)

// Store keeps orders in memory. A real one is a table, and each method one guarded statement, such as
// UPDATE orders SET status = 'CONFIRMED' WHERE id = $1 AND status = 'PENDING'.
type Store struct {
	mu     sync.Mutex
	orders map[string]Status
}

// NewStore returns an empty store.
func NewStore() *Store { return &Store{orders: map[string]Status{}} }

// Create stores a new order, unless there is one already.
func (s *Store) Create(id string) Status { return s.move(id, "", Pending) }

// Confirm confirms a pending order.
func (s *Store) Confirm(id string) Status { return s.move(id, Pending, Confirmed) }

// Close closes an order that is pending. It also closes one that does not exist yet, so that a late Create finds it closed.
func (s *Store) Close(id string) Status {
	s.move(id, "", Closing)
	return s.move(id, Pending, Closing)
}

// Finish makes a closing order cancelled.
func (s *Store) Finish(id string) Status { return s.move(id, Closing, Cancelled) }

// Status returns the order's status, or "".
func (s *Store) Status(id string) Status { return s.move(id, "", "") }

// move moves the order from one status to another, if it has that status, and returns its status afterwards.
func (s *Store) move(id string, from, to Status) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orders[id] == from {
		s.orders[id] = to
	}
	return s.orders[id]
}

// Events are the published events by order. A repeated event changes nothing.
type Events struct{ published sync.Map }

// Publish publishes how an order ended.
func (e *Events) Publish(id string, status Status) { e.published.LoadOrStore(id, status) }

// Of returns the order's event, or "".
func (e *Events) Of(id string) Status {
	status, _ := e.published.Load(id)
	s, _ := status.(Status)
	return s
}
