package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// settle is how long after a segment its CPU time is still counted: the engine has work to do when the client has its
// answer already, and the next mode shall not pay for it.
const settle = 500 * time.Millisecond

// warmUp is how long each mode runs before anything is counted.
const warmUp = time.Second

// measured is a mode with its segments, one for each round.
type measured struct {
	mode
	segments []segment
	events   float64 // of an undisturbed workflow's history
	tasks    float64 // workflow tasks in it
}

// measure lets the modes take turns. Every second round goes backwards, so that a mode does not always follow the same.
func (s *stack) measure(
	ctx context.Context, modes []mode, o options, length time.Duration, say func(string, ...any),
) ([]*measured, error) {
	all := make([]*measured, len(modes))
	for i, m := range modes {
		say("warming up  %s", m.name)
		if _, err := load(ctx, m, o.clients, min(warmUp, length)); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		all[i] = &measured{mode: m}
	}
	for round := range o.rounds {
		turns := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, m := range turns {
			seg, err := s.turn(ctx, m.mode, o, length, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			m.segments = append(m.segments, seg)
			say("round %d/%d  %-12s %7.1f /s   p50 %6.1f ms   p99 %7.1f ms", round+1, o.rounds, m.name,
				seg.perSecond(), milliseconds(seg.latencies, 50), milliseconds(seg.latencies, 99))
		}
	}
	for _, m := range all {
		if err := s.lookAt(ctx, m); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// turn is one segment of a mode, with its CPU time, and its profiles if they are wanted.
func (s *stack) turn(ctx context.Context, m mode, o options, length time.Duration, round int) (segment, error) {
	before, err := s.cpu(ctx)
	if err != nil {
		return segment{}, err
	}
	profiled := s.profile(ctx, m, length, round)
	seg, err := load(ctx, m, o.clients, length)
	if err := firstOf(err, profiled()); err != nil {
		return segment{}, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return segment{}, ctx.Err()
	}
	after, err := s.cpu(ctx)
	if err != nil {
		return segment{}, err
	}
	seg.cpu = after.since(before)
	return seg, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
