// Package load puts load on a system in closed loops: each client makes its next call as soon as its last one has returned.
package load

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Result is what the calls took.
type Result struct {
	Took      time.Duration // from the first call to the end of the last
	Latencies []time.Duration
}

// PerSecond is the number of calls per second.
func (r Result) PerSecond() float64 { return float64(len(r.Latencies)) / r.Took.Seconds() }

// Milliseconds returns a percentile of the latencies (nearest rank), or 0 when there are none.
func (r Result) Milliseconds(percentile int) float64 {
	if len(r.Latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Latencies))
	return float64(sorted[(len(sorted)-1)*percentile/100].Microseconds()) / 1000
}

// Times is the more of Run for a number of calls.
func Times(n int) func(begun int) bool { return func(begun int) bool { return begun < n } }

// For is the more of Run for a length of time, from now on.
func For(length time.Duration) func(int) bool {
	end := time.Now().Add(length)
	return func(int) bool { return time.Now().Before(end) }
}

// Run lets the clients call as long as more, which is given the number of calls that have begun, says so. It waits for the
// last ones. The first error ends it.
func Run(ctx context.Context, clients int, more func(begun int) bool, call func(context.Context) error) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	var mu sync.Mutex
	var all []time.Duration
	begun := 0
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		begun++
		return ctx.Err() == nil && more(begun-1)
	}
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for next() {
				start := time.Now()
				if err := call(ctx); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				all = append(all, time.Since(start))
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return Result{Took: time.Since(began), Latencies: all}, context.Cause(ctx)
}
