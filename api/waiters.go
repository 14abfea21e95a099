package api

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// waiters are the requests that wait until the rows with their IDs say what became of something. A waiting request is woken in
// one of two ways:
//
//   - wake, which a worker in the same process calls right after a commit;
//   - one query for all that wait, repeated while a request waits. The longer a request has waited, the less often its row is
//     queried, so an outage causes no storm of queries.
type waiters[K comparable, V any] struct {
	what       string // for the log
	idOf       func(V) K
	firstPause time.Duration

	mu      sync.Mutex
	waiting map[*expected[K, V]]struct{}
	poll    *poller // nil until run
}

// How often a waiting row is asked about: after a pause that is a fraction of the time that it has waited, within bounds.
const (
	askPause    = 5 * time.Millisecond
	askFraction = 8
	longPause   = 200 * time.Millisecond
	// askTimeout bounds one statement. A request waits for as long as it wants to, whatever the database does.
	askTimeout = time.Second
)

func newWaiters[K comparable, V any](what string, idOf func(V) K, firstPause time.Duration) *waiters[K, V] {
	return &waiters[K, V]{what: what, idOf: idOf, firstPause: firstPause, waiting: map[*expected[K, V]]struct{}{}}
}

// expected is a request's interest in a row.
type expected[K comparable, V any] struct {
	id    K
	since time.Time
	next  time.Time // when to ask about it
	end   chan V    // has room for the one row that is sent
}

// expect begins to wait for a row; the caller calls forget. Begun before the row can change, it misses nothing.
func (w *waiters[K, V]) expect(id K) *expected[K, V] {
	now := time.Now()
	x := &expected[K, V]{id: id, since: now, next: now.Add(w.firstPause), end: make(chan V, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[x] = struct{}{}
	if w.poll != nil {
		w.poll.begin()
	}
	return x
}

func (w *waiters[K, V]) forget(x *expected[K, V]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, x)
}

// await returns the row as soon as it says what is waited for, or reports false once ctx is done.
func (x *expected[K, V]) await(ctx context.Context) (row V, ok bool) {
	select {
	case row = <-x.end:
		return row, true
	default:
	}
	select {
	case row = <-x.end:
		return row, true
	case <-ctx.Done():
		return row, false
	}
}

// wake hands rows to the requests that wait for them. It does not wait for anyone.
func (w *waiters[K, V]) wake(rows ...V) {
	if len(rows) == 0 {
		return
	}
	byID := make(map[K]V, len(rows))
	for _, row := range rows {
		byID[w.idOf(row)] = row
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.waiting {
		if row, ok := byID[x.id]; ok {
			x.end <- row
			delete(w.waiting, x)
		}
	}
}

// run asks until ctx is done. ask returns those of the rows that say what is waited for.
func (w *waiters[K, V]) run(ctx context.Context, ask func(context.Context, []K) ([]V, error), log *slog.Logger) {
	poll := newPoller(w.what, askPause, log)
	w.mu.Lock()
	w.poll = poll
	w.mu.Unlock()
	poll.begin()
	poll.run(ctx, func(ctx context.Context) (idle bool, err error) {
		due, idle := w.due(time.Now())
		if len(due) == 0 {
			return idle, nil
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		rows, err := ask(ctx, due)
		w.wake(rows...)
		return false, err
	})
}

// due returns the rows to ask about now, and whether no request waits.
func (w *waiters[K, V]) due(now time.Time) (ids []K, idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.waiting {
		if now.Before(x.next) {
			continue
		}
		ids = append(ids, x.id)
		x.next = now.Add(min(max(now.Sub(x.since)/askFraction, askPause), longPause))
	}
	return ids, len(w.waiting) == 0
}
