package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// How the streams of events are kept going. Only tests change them.
type watchTimes struct {
	poll      time.Duration // between two looks at the watched orders
	heartbeat time.Duration // between two signs of life on a quiet stream; proxies cut silent connections after 30 s or more
	write     time.Duration // how long a client may take to read a message
	retry     time.Duration // after which clients should connect again; told to them
}

var defaultWatchTimes = watchTimes{
	poll: 200 * time.Millisecond, heartbeat: 15 * time.Second, write: 10 * time.Second, retry: 2 * time.Second,
}

// changeReader is what a watcher needs of a store.
type changeReader interface {
	Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error)
}

// watcher tells streams what happens to their orders. It asks the store one question for all of them, again and again,
// and none while nobody watches. That costs the orders' way nothing. Notifications by the database would: transactions
// that notify commit one after the other.
type watcher struct {
	store changeReader
	log   *slog.Logger
	every time.Duration

	mu    sync.Mutex
	watch map[*watch]struct{}
	first chan struct{} // has room for one: somebody watches
}

func newWatcher(store changeReader, every time.Duration, log *slog.Logger) *watcher {
	return &watcher{store: store, log: log, every: every, watch: map[*watch]struct{}{}, first: make(chan struct{}, 1)}
}

// watch is one stream's interest in an order.
type watch struct {
	id      order.ID
	last    int64 // the entry of the timeline up to which it knows
	changes chan order.Change
}

// backlog is how many changes a stream may be behind before it is dropped. An order has about as many in its life.
const backlog = 8

// add starts to watch an order, of which the caller knows the timeline up to an entry (0: nothing). What is added to it
// comes through changes; when that is closed the caller was too slow.
func (w *watcher) add(id order.ID, last int64) *watch {
	x := &watch{id: id, last: last, changes: make(chan order.Change, backlog)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch[x] = struct{}{}
	select {
	case w.first <- struct{}{}:
	default:
	}
	return x
}

func (w *watcher) remove(x *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watch, x)
}

// run works until ctx is done.
func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	broken := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.first:
		}
		for since := w.since(); len(since) > 0; since = w.since() {
			changes, err := w.store.Changes(ctx, since)
			if failed := err != nil; failed != broken && ctx.Err() == nil {
				broken = failed
				w.report(err)
			}
			w.deliver(changes)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

func (w *watcher) report(err error) {
	if err == nil {
		w.log.Info("watched orders can be read again")
		return
	}
	w.log.Warn("watched orders cannot be read; their streams wait", "error", err.Error())
}

// since is where each watched order has to be read from: where the one who knows least of it is.
func (w *watcher) since() map[order.ID]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := make(map[order.ID]int64, len(w.watch))
	for x := range w.watch {
		if last, ok := since[x.id]; !ok || x.last < last {
			since[x.id] = x.last
		}
	}
	return since
}

// deliver hands changes to whom they are news to. Nobody is waited for.
func (w *watcher) deliver(changes []order.Change) {
	if len(changes) == 0 {
		return
	}
	byOrder := make(map[order.ID]order.Change, len(changes))
	for _, c := range changes {
		byOrder[c.Order.ID] = c
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.watch {
		c := byOrder[x.id]
		if c.Entries = after(c.Entries, x.last); len(c.Entries) == 0 {
			continue
		}
		select {
		case x.changes <- c:
			x.last = c.Entries[len(c.Entries)-1].ID
		default:
			delete(w.watch, x)
			close(x.changes)
		}
	}
}

// after returns the entries, which are in sequence, that come after the one with the ID last.
func after(entries []order.StoredEntry, last int64) []order.StoredEntry {
	for i, e := range entries {
		if e.ID > last {
			return entries[i:]
		}
	}
	return nil
}
