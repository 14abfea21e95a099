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

// When the breaker opens and how long it stays open.
const (
	countWindow  = 10 * time.Second // failures older than this are forgotten
	countBucket  = time.Second
	enoughCalls  = 10 // calls in the window before their failures mean anything
	openFor      = 30 * time.Second
	probes       = 1               // calls let through at once when half-open
	probePause   = time.Second     // when to come back while a probe is under way
	retryScatter = 2 * time.Second // callers come back spread over this time, not all at once
)

// breaker stops calling a catalog that does not answer.
type breaker struct {
	circuit  *gobreaker.CircuitBreaker[answer]
	openedAt atomic.Int64 // Unix nanoseconds
}

// gone marks the error of a call whose caller went away meanwhile.
type gone struct{ error }

func (e gone) Unwrap() error { return e.error }

func newBreaker(log *slog.Logger, tell func(from, to string)) *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Name:         "catalog",
		Interval:     countWindow,
		BucketPeriod: countBucket,
		Timeout:      openFor,
		MaxRequests:  probes,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			n := c.TotalSuccesses + c.TotalFailures // c.Requests counts calls in flight and excluded ones too
			return n >= enoughCalls && c.TotalFailures*2 >= n
		},
		IsExcluded: func(err error) bool { return errors.As(err, new(gone)) },
		// All callbacks run under the circuit's lock: they must not call it.
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

// do calls, unless the circuit is open.
func (b *breaker) do(ctx context.Context, call func() (answer, error)) (answer, error) {
	a, err := b.circuit.Execute(func() (answer, error) {
		a, err := call()
		if err != nil && ctx.Err() != nil {
			err = gone{err}
		}
		return a, err
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return a, &Unavailable{RetryAfter: b.untilProbe() + rand.N(retryScatter), Err: err}
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return a, &Unavailable{RetryAfter: probePause + rand.N(retryScatter), Err: err}
	}
	return a, err
}

// untilProbe is how long the circuit stays open.
func (b *breaker) untilProbe() time.Duration {
	return max(0, openFor-time.Since(time.Unix(0, b.openedAt.Load())))
}
