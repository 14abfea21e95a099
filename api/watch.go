package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// watchTimes say how streams are kept going. Only tests change them.
type watchTimes struct {
	poll      time.Duration // between two questions about the watched orders
	heartbeat time.Duration // between two signs of life on a quiet stream; proxies cut silent connections after 30 s or more
	write     time.Duration // how long a client may take to read a message
	retry     time.Duration // clients are told to connect again after this
}

var defaultWatchTimes = watchTimes{
	poll: 200 * time.Millisecond, heartbeat: 15 * time.Second, write: 10 * time.Second, retry: 2 * time.Second,
}

// changeReader is the store as a watcher needs it.
type changeReader interface {
	// Changes returns the orders whose timelines have entries after the given ones.
	Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error)
}

// watcher tells streams what happens to their orders.
type watcher struct {
	store changeReader
	poll  *poller

	mu    sync.Mutex
	watch map[*watch]struct{}
}

func newWatcher(store changeReader, every time.Duration, log *slog.Logger) *watcher {
	return &watcher{store: store, poll: newPoller("watched orders", every, log), watch: map[*watch]struct{}{}}
}

// watch is one stream's interest in an order.
type watch struct {
	id      order.ID
	last    int64 // the last entry of the timeline that it was sent
	changes chan order.Change
}

// backlog is how many changes a stream may be behind before it is dropped. An order has about as many in its life.
const backlog = 8

// add starts to watch an order after the entry of its timeline that the caller has (0: none). What is added comes through
// changes; when that is closed, the caller was too slow.
func (w *watcher) add(id order.ID, last int64) *watch {
	x := &watch{id: id, last: last, changes: make(chan order.Change, backlog)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch[x] = struct{}{}
	w.poll.begin()
	return x
}

func (w *watcher) remove(x *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watch, x)
}

// run asks the store until ctx is done.
func (w *watcher) run(ctx context.Context) {
	w.poll.run(ctx, func(ctx context.Context) (idle bool, err error) {
		since := w.since()
		if len(since) == 0 {
			return true, nil
		}
		changes, err := w.store.Changes(ctx, since)
		w.deliver(changes)
		return false, err
	})
}

// since is the entry after which to read each watched order: the last one that all of its streams have.
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

// deliver hands each change to the streams that do not have it yet. It waits for none of them.
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

// after returns the entries behind the one with the ID last. They are in sequence.
func after(entries []order.StoredEntry, last int64) []order.StoredEntry {
	for i, e := range entries {
		if e.ID > last {
			return entries[i:]
		}
	}
	return nil
}
