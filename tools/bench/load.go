package main

import (
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The latencies that a histogram tells apart: from 1 µs to the longest that is waited for, to three significant digits.
const (
	shortest = 1
	longest  = int64(callTimeout / time.Microsecond)
	digits   = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(shortest, longest, digits) }

// segment is one turn of a mode.
type segment struct {
	done      int
	took      time.Duration // from the first request until the last answer
	latencies *hdrhistogram.Histogram
	sample    []string // IDs of some workflows that did not fail
	cpu       map[string]float64
}

// sampleSize is how many workflows of a segment are looked at afterwards.
const sampleSize = 5

func (s segment) perSecond() float64 { return float64(s.done) / s.took.Seconds() }

// load lets n clients ask one request after the other until the time is up, and waits for those under way. The first
// error ends it.
func load(ctx context.Context, m mode, n int, length time.Duration) (segment, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	seg := segment{latencies: newHistogram()}
	began := time.Now()
	var mu sync.Mutex
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			for turn := i; time.Since(began) < length && ctx.Err() == nil; turn += n {
				failing := fails(turn, m.failing)
				took, id, err := once(ctx, m, failing)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				seg.add(took, id, failing)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	seg.took = time.Since(began)
	return seg, context.Cause(ctx)
}

func once(ctx context.Context, m mode, failing bool) (time.Duration, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	id, err := m.run(ctx, failing)
	return time.Since(began), id, err
}

func (s *segment) add(took time.Duration, id string, failing bool) {
	s.done++
	_ = s.latencies.RecordValue(min(max(took.Microseconds(), shortest), longest)) // in range, so it is recorded
	if len(s.sample) < sampleSize && !failing {
		s.sample = append(s.sample, id)
	}
}

// fails says which of a mode's orders fail: percent of each hundred, spread evenly, as 20 % are every fifth.
func fails(turn, percent int) bool { return (turn+1)*percent/100 > turn*percent/100 }
