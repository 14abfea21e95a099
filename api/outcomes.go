package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Outcomes tells requests how their orders end. An order's end is known once its row is CONFIRMED, closing with a cause, or
// final, and the response leaves then: before undos run, before the event is published, and before the workflow task is
// completed.
//
// That is safe because the row is the truth that every later run of the saga obeys. If the worker dies right after the
// commit, the workflow task is lost with everything that it remembered, and the saga runs again, perhaps in a changed world.
// But the steps that could decide something, CreateOrder, ConfirmOrder and CloseOrder, are guarded statements, and they
// return what the row says. The second run finds the order CONFIRMED and goes forward, or closing and unwinds with the first
// cause. No run can announce an end that differs from the client's response.
//
// A waiting request is woken in one of two ways:
//
//   - Decided, which a worker in the same process calls right after a commit;
//   - one query for all waiting orders, repeated while a request waits. The longer a request has waited, the less often its
//     order is queried, so an outage causes no storm of queries.
type Outcomes struct {
	firstPause time.Duration

	mu      sync.Mutex
	waiting map[*expected]struct{}
	poll    *poller // nil until run
}

// How often a waiting order is asked about: after a pause that is a fraction of the time that it has waited, within bounds.
const (
	askPause    = 5 * time.Millisecond
	askFraction = 8
	longPause   = 200 * time.Millisecond
	// besidePause is the first pause when a worker in the same process reports its commits: it executes most orders itself.
	besidePause = 50 * time.Millisecond
	// askTimeout bounds one statement. A request waits for as long as it wants to, whatever the database does.
	askTimeout = time.Second
)

// NewOutcomes returns the outcomes for a process that also runs the worker, which calls Decided.
func NewOutcomes() *Outcomes { return newOutcomes(besidePause) }

func newOutcomes(firstPause time.Duration) *Outcomes {
	return &Outcomes{firstPause: firstPause, waiting: map[*expected]struct{}{}}
}

// expected is a request's interest in an order's end.
type expected struct {
	id    order.ID
	since time.Time
	next  time.Time        // when to ask about it
	end   chan order.Order // has room for the one order that is sent
}

// expect begins to wait for an order's end; the caller calls forget. Begun before the order is started, it misses nothing.
func (o *Outcomes) expect(id order.ID) *expected {
	now := time.Now()
	x := &expected{id: id, since: now, next: now.Add(o.firstPause), end: make(chan order.Order, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[x] = struct{}{}
	if o.poll != nil {
		o.poll.begin()
	}
	return x
}

func (o *Outcomes) forget(x *expected) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, x)
}

// await returns the order as soon as its end is known, or reports false once ctx is done.
func (x *expected) await(ctx context.Context) (order.Order, bool) {
	select {
	case o := <-x.end:
		return o, true
	default:
	}
	select {
	case o := <-x.end:
		return o, true
	case <-ctx.Done():
		return order.Order{}, false
	}
}

// Decided says how orders end, as their rows do. It does not wait for anyone.
func (o *Outcomes) Decided(orders ...order.Order) {
	if len(orders) == 0 {
		return
	}
	ends := make(map[order.ID]order.Order, len(orders))
	for _, end := range orders {
		ends[end.ID] = end
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for x := range o.waiting {
		if end, ok := ends[x.id]; ok {
			x.end <- end
			delete(o.waiting, x)
		}
	}
}

// decidedReader is what the outcomes are read from.
type decidedReader interface {
	// Decided returns those of the orders with a known end.
	Decided(ctx context.Context, ids []order.ID) ([]order.Order, error)
}

// run asks the store until ctx is done.
func (o *Outcomes) run(ctx context.Context, store decidedReader, log *slog.Logger) {
	poll := newPoller("the outcomes of orders", askPause, log)
	o.mu.Lock()
	o.poll = poll
	o.mu.Unlock()
	poll.begin()
	poll.run(ctx, func(ctx context.Context) (idle bool, err error) {
		due, idle := o.due(time.Now())
		if len(due) == 0 {
			return idle, nil
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		decided, err := store.Decided(ctx, due)
		o.Decided(decided...)
		return false, err
	})
}

// due returns the orders to ask about now, and whether no request waits.
func (o *Outcomes) due(now time.Time) (ids []order.ID, idle bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for x := range o.waiting {
		if now.Before(x.next) {
			continue
		}
		ids = append(ids, x.id)
		x.next = now.Add(min(max(now.Sub(x.since)/askFraction, askPause), longPause))
	}
	return ids, len(o.waiting) == 0
}
