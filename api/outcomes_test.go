package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

// askedStore notes what it is asked, and knows the end of one order.
type askedStore struct {
	mu      sync.Mutex
	asked   [][]order.ID
	decided order.Order
	fails   error
}

func (s *askedStore) Decided(_ context.Context, ids []order.ID) ([]order.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, ids)
	if s.fails == nil && slices.Contains(ids, s.decided.ID) {
		return []order.Order{s.decided}, nil
	}
	return nil, s.fails
}

// questions returns what was asked since the last call.
func (s *askedStore) questions() [][]order.ID {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *askedStore) set(end order.Order, fails error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decided, s.fails = end, fails
}

// inBubble runs test with outcomes that are read from the store, on a clock of its own.
func inBubble(t *testing.T, firstPause time.Duration, test func(t *testing.T, o *Outcomes, s *askedStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o, s := newOutcomes(firstPause), &askedStore{}
		t.Cleanup(background(t.Context(), func(ctx context.Context) { o.run(ctx, s.Decided, slog.New(slog.DiscardHandler)) }))
		test(t, o, s)
	})
}

func TestNothingIsAskedWhileNoRequestWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, askPause, func(t *testing.T, o *Outcomes, s *askedStore) {
		time.Sleep(time.Hour) // of the bubble's clock
		x := o.expect("a")
		time.Sleep(time.Second)
		if len(s.questions()) == 0 {
			t.Error("nothing was asked for a request that waits")
		}
		o.forget(x)
		time.Sleep(time.Second)
		s.questions()
		time.Sleep(time.Hour)
		if got := s.questions(); len(got) != 0 {
			t.Errorf("asked %d times after the request left", len(got))
		}
	})
}

func TestOneQuestionIsAskedForAllThatWait(t *testing.T) {
	t.Parallel()
	inBubble(t, askPause, func(t *testing.T, o *Outcomes, s *askedStore) {
		var want []order.ID
		for i := range 100 {
			id := order.ID(fmt.Sprint(i))
			want = append(want, id)
			defer o.forget(o.expect(id))
		}
		time.Sleep(2*askPause - 1)
		got := s.questions()
		if len(got) != 1 {
			t.Fatalf("asked %d times within %s, want once", len(got), 2*askPause)
		}
		slices.Sort(want)
		slices.Sort(got[0])
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

// Wherever the worker is, the response leaves within a few milliseconds of the commit.
func TestAWaitingRequestGetsTheRow(t *testing.T) {
	t.Parallel()
	end := order.Order{ID: "a", Status: order.Confirmed, Version: 2}
	inBubble(t, askPause, func(t *testing.T, o *Outcomes, s *askedStore) {
		time.AfterFunc(30*time.Millisecond, func() { s.set(end, nil) })
		began := time.Now()
		x := o.expect("a")
		defer o.forget(x)
		got, ok := x.await(t.Context())
		if took := time.Since(began); !ok || took > 30*time.Millisecond+2*askPause {
			t.Errorf("got %v after %s, want the order within %s of its commit", ok, took, 2*askPause)
		}
		if diff := cmp.Diff(end, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The worker of the same process says so itself: no question is asked, and every request for the order is woken.
func TestAWorkerInTheSameProcessWakesTheRequests(t *testing.T) {
	t.Parallel()
	inBubble(t, besidePause, func(t *testing.T, o *Outcomes, s *askedStore) {
		one, two, other := o.expect("a"), o.expect("a"), o.expect("b")
		defer o.forget(other)
		time.Sleep(30 * time.Millisecond)
		o.Decided(order.Order{ID: "a", Status: order.Pending, Closing: true})
		o.Decided(order.Order{ID: "a", Status: order.Failed, Closing: true}) // later, and harmless
		for _, x := range []*expected[order.ID, order.Order]{one, two} {
			if got, ok := x.await(t.Context()); !ok || !got.Closing {
				t.Errorf("got %+v, %v; want the order as it was decided", got, ok)
			}
		}
		if got := s.questions(); len(got) != 0 {
			t.Errorf("the store was asked %d times, want none", len(got))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, ok := other.await(ctx); ok {
			t.Errorf("got %+v for another order, want nothing", got)
		}
	})
}

// What takes long, because it waits for a worker or for the database, is asked about less often.
func TestALongWaitIsNoStormOfQuestions(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"undecided": nil, "the database is away": errors.New("connection refused")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, askPause, func(t *testing.T, o *Outcomes, s *askedStore) {
				s.set(order.Order{}, fails)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				x := o.expect("a")
				defer o.forget(x)
				if _, ok := x.await(ctx); ok {
					t.Error("got an outcome")
				}
				if got := len(s.questions()); got < 300 || got > 400 {
					t.Errorf("asked %d times in a minute, want 5 times a second after the first one", got)
				}
			})
		})
	}
}
