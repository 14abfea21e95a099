package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

// countingStore counts calls, and returns the same result every time.
type countingStore struct {
	asked   atomic.Int64
	changes []order.Change
}

func (s *countingStore) Changes(context.Context, map[order.ID]int64) ([]order.Change, error) {
	s.asked.Add(1)
	return s.changes, nil
}

func TestTheStoreIsNotAskedWithoutAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{}
		w := newWatcher(store, 200*time.Millisecond, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()

		asked := func(during time.Duration) int64 {
			before := store.asked.Load()
			time.Sleep(during) // of the bubble's clock
			synctest.Wait()
			return store.asked.Load() - before
		}
		if got := asked(time.Hour); got != 0 {
			t.Errorf("%d queries without a stream", got)
		}
		one, two := w.add("a", 0), w.add("b", 0)
		if got := asked(time.Minute); got < 290 || got > 310 {
			t.Errorf("asked %d times in a minute for two, want 5 times a second", got)
		}
		w.remove(one)
		w.remove(two)
		if got := asked(time.Hour); got > 1 {
			t.Errorf("asked %d times after all streams had ended", got)
		}
		w.add("c", 0)
		if got := asked(time.Second); got < 4 {
			t.Errorf("asked %d times in a second for one who came later", got)
		}
		stop()
		<-done
	})
}

func entries(ids ...int64) []order.StoredEntry {
	var all []order.StoredEntry
	for _, id := range ids {
		all = append(all, order.StoredEntry{ID: id})
	}
	return all
}

func TestEachStreamIsToldWhatIsNewToIt(t *testing.T) {
	t.Parallel()
	w := newWatcher(&countingStore{}, time.Hour, slog.New(slog.DiscardHandler))
	early, late, other := w.add("a", 0), w.add("a", 2), w.add("b", 0)
	if diff := cmp.Diff(map[order.ID]int64{"a": 0, "b": 0}, w.since()); diff != "" {
		t.Errorf("what is asked for (-want +got):\n%s", diff)
	}
	w.deliver([]order.Change{{Order: order.Order{ID: "a"}, Entries: entries(1, 2, 3)}})
	for name, test := range map[string]struct {
		w    *watch
		want []order.StoredEntry
	}{"early": {early, entries(1, 2, 3)}, "late": {late, entries(3)}} {
		if diff := cmp.Diff(test.want, (<-test.w.changes).Entries); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(other.changes) != 0 {
		t.Error("a stream is told of another order")
	}
	if diff := cmp.Diff(map[order.ID]int64{"a": 3, "b": 0}, w.since()); diff != "" {
		t.Errorf("what is asked for next (-want +got):\n%s", diff)
	}
}

func TestSlowStreamIsDroppedAndTheOthersAreNot(t *testing.T) {
	t.Parallel()
	w := newWatcher(&countingStore{}, time.Hour, slog.New(slog.DiscardHandler))
	slow, quick := w.add("a", 0), w.add("a", 0)
	for id := int64(1); id <= backlog+1; id++ {
		w.deliver([]order.Change{{Order: order.Order{ID: "a"}, Entries: entries(id)}})
		if c := <-quick.changes; c.Entries[0].ID != id {
			t.Errorf("got entry %d, want %d", c.Entries[0].ID, id)
		}
	}
	for range backlog {
		<-slow.changes
	}
	if _, ok := <-slow.changes; ok {
		t.Error("the slow stream is still served")
	}
	w.remove(slow) // harmless
}

// stuckClient takes nothing: a write to it lasts until its deadline.
type stuckClient struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (c *stuckClient) SetReadDeadline(time.Time) error    { return nil }
func (c *stuckClient) SetWriteDeadline(d time.Time) error { c.deadline = d; return nil }
func (c *stuckClient) Write([]byte) (int, error) {
	time.Sleep(time.Until(c.deadline))
	return 0, errors.New("i/o timeout")
}

func TestClientThatDoesNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		e := newEvents(t.Context(), testEvents, defaultWatchTimes, &countingStore{}, slog.New(slog.DiscardHandler))
		var client http.ResponseWriter = &stuckClient{ResponseRecorder: httptest.NewRecorder()}
		err := e.feed(t.Context(), newStream(client, e.times, 0, false), order.Change{})
		if took := time.Since(began); err == nil || took != defaultWatchTimes.write {
			t.Errorf("got %v after %s, want an error after %s", err, took, defaultWatchTimes.write)
		}
	})
}
