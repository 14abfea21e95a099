package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// callTimeout bounds one order. Orders on regular activities queue up on a small machine.
const callTimeout = time.Minute

// segment is one turn of a mode.
type segment struct {
	load.Result
	sample []string // IDs of some of its workflows
	cpu    map[string]float64
}

// sampleSize is how many workflows of a segment are looked at afterwards.
const sampleSize = 5

// placing lets clients place one order after the other (load.Run).
func placing(ctx context.Context, run place, clients int, more func(int) bool) (segment, error) {
	var mu sync.Mutex
	var seg segment
	result, err := load.Run(ctx, clients, more, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		id, err := run(ctx)
		mu.Lock()
		defer mu.Unlock()
		if len(seg.sample) < sampleSize && id != "" {
			seg.sample = append(seg.sample, id)
		}
		return err
	})
	seg.Result = result
	return seg, err
}

// settle is how long after a turn its CPU time still counts: the engine goes on after the response, and the next mode
// must not pay for it.
const settle = 500 * time.Millisecond

// measure lets the modes take turns. Every second round goes backwards, so that a mode does not always follow the same one.
func (s *stack) measure(ctx context.Context, all []*measured) error {
	for _, m := range all {
		s.say("warming up  %s", m.name)
		if _, err := placing(ctx, m.place, s.o.Concurrency, load.For(min(time.Second, s.o.Segment))); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for round := range s.o.Rounds {
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
			s.say("round %d/%d  %-12s %7.1f /s   p50 %6.1f ms   p99 %7.1f ms",
				round+1, s.o.Rounds, m.name, seg.PerSecond(), seg.Milliseconds(50), seg.Milliseconds(99))
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
	seg, err := placing(ctx, run, s.o.Concurrency, load.For(s.o.Segment))
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
