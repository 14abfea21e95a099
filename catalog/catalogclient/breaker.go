package catalogclient

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// When the breaker opens, and how long it stays open.
const (
	countWindow  = 10 * time.Second // older failures do not count
	countBucket  = time.Second
	enoughCalls  = 10 // fewer calls in the window do not open it
	openFor      = 30 * time.Second
	probes       = 1               // concurrent calls while half-open
	probePause   = time.Second     // when to try again while a probe is under way
	retryScatter = 2 * time.Second // spreads the callers that try again
)

// breaker stops calls to a catalog that fails.
type breaker struct {
	circuit  *gobreaker.CircuitBreaker[response]
	openedAt atomic.Int64 // Unix nanoseconds
}

// cancelled marks the error of a call that its caller gave up.
type cancelled struct{ error }

func (e cancelled) Unwrap() error { return e.error }

func newBreaker(log *slog.Logger, tell func(from, to string)) *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewCircuitBreaker[response](gobreaker.Settings{
		Name:         "catalog",
		Interval:     countWindow,
		BucketPeriod: countBucket,
		Timeout:      openFor,
		MaxRequests:  probes,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			n := c.TotalSuccesses + c.TotalFailures // c.Requests includes calls in flight and excluded ones
			return n >= enoughCalls && c.TotalFailures*2 >= n
		},
		IsExcluded: func(err error) bool { return errors.As(err, new(cancelled)) },
		// All callbacks run under the circuit's lock, so they must not call it.
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.openedAt.Store(time.Now().UnixNano())
			}
			log.Warn("circuit breaker of the catalog", "from", from.String(), "to", to.String())
			if tell != nil {
				tell(from.String(), to.String())
			}
		},
	})
	return b
}

// do makes the call unless the circuit is open.
func (b *breaker) do(ctx context.Context, call func() (response, error)) (response, error) {
	r, err := b.circuit.Execute(func() (response, error) {
		r, err := call()
		if err != nil && ctx.Err() != nil {
			err = cancelled{err}
		}
		return r, err
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return r, &Unavailable{RetryAfter: b.untilProbe() + rand.N(retryScatter), Err: err}
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return r, &Unavailable{RetryAfter: probePause + rand.N(retryScatter), Err: err}
	}
	return r, err
}

// untilProbe is how much longer the circuit stays open.
func (b *breaker) untilProbe() time.Duration {
	return max(0, openFor-time.Since(time.Unix(0, b.openedAt.Load())))
}
