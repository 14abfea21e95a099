package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// callTimeout bounds one order. Orders on regular activities queue up on a small machine.
const callTimeout = time.Minute

// segment is one turn of a mode.
type segment struct {
	took      time.Duration // from the first request to the last response
	latencies []time.Duration
	sample    []string // IDs of some of its workflows
	cpu       map[string]float64
}

// sampleSize is how many workflows of a segment are looked at afterwards.
const sampleSize = 5

func (s segment) perSecond() float64 { return float64(len(s.latencies)) / s.took.Seconds() }

// load lets n clients place one order after the other until the time is up, and waits for the last ones. The first error
// ends it.
func load(ctx context.Context, run place, n int, length time.Duration) (segment, error) {
	began := time.Now()
	return closedLoop(ctx, run, n, func(int) bool { return time.Since(began) < length })
}

// closedLoop lets n clients place orders as long as more, which is given the number of placed orders, says so.
func closedLoop(ctx context.Context, run place, n int, more func(placed int) bool) (segment, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var seg segment
	began := time.Now()
	var mu sync.Mutex
	placed := 0
	next := func() bool {
		mu.Lock()
		defer mu.Unlock()
		placed++
		return ctx.Err() == nil && more(placed-1)
	}
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			for next() {
				took, id, err := once(ctx, run)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				seg.add(took, id)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	seg.took = time.Since(began)
	return seg, context.Cause(ctx)
}

func once(ctx context.Context, run place) (time.Duration, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := time.Now()
	id, err := run(ctx)
	return time.Since(began), id, err
}

func (s *segment) add(took time.Duration, id string) {
	s.latencies = append(s.latencies, took)
	if len(s.sample) < sampleSize && id != "" {
		s.sample = append(s.sample, id)
	}
}

// milliseconds returns a percentile (nearest rank).
func milliseconds(latencies []time.Duration, percentile float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(latencies))
	rank := int(percentile / 100 * float64(len(sorted)-1))
	return float64(sorted[rank].Microseconds()) / 1000
}

// settle is how long after a turn its CPU time still counts: the engine goes on after the response, and the next mode
// must not pay for it.
const settle = 500 * time.Millisecond

// measure lets the modes take turns. Every second round goes backwards, so that a mode does not always follow the same one.
func (s *stack) measure(ctx context.Context, all []*measured) error {
	for _, m := range all {
		s.say("warming up  %s", m.name)
		if _, err := load(ctx, m.place, s.o.clients, min(time.Second, s.o.segment)); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for round := range s.o.rounds {
		turns := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, m := range turns {
			seg, err := s.turn(ctx, m.place)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			m.segments = append(m.segments, seg)
			s.say("round %d/%d  %-12s %7.1f /s   p50 %6.1f ms   p99 %7.1f ms", round+1, s.o.rounds, m.name,
				seg.perSecond(), milliseconds(seg.latencies, 50), milliseconds(seg.latencies, 99))
		}
	}
	return nil
}

// turn is one segment of a mode with its CPU time.
func (s *stack) turn(ctx context.Context, run place) (segment, error) {
	before, err := s.usage(ctx)
	if err != nil {
		return segment{}, err
	}
	seg, err := load(ctx, run, s.o.clients, s.o.segment)
	if err != nil {
		return segment{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return segment{}, err
	}
	after, err := s.usage(ctx)
	seg.cpu = after.since(before)
	return seg, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
