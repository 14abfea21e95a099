package sagatest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// op is the nth call of an activity.
type op struct {
	activity string
	n        int
}

func (o op) String() string { return fmt.Sprintf("%s#%d", o.activity, o.n) }

// path is a way through the saga that disturbances can strike: the operations that an undisturbed run calls.
type path struct {
	name   string
	refuse op // always refused; none when zero
	ops    []op
}

// schedule is one trial: a path and its disturbances.
type schedule struct {
	path    path
	strikes []Strike
	after   afterwards
}

// afterwards is what happens to the workflow when all is over.
type afterwards string

// A workflow whose saga has a fence may be reset to its beginning, or recovered, when all is over.
const (
	nothing              afterwards = ""
	isReset              afterwards = "then reset"
	isResetAndCancelled  afterwards = "then reset and cancelled"
	isRecoveredByAnother afterwards = "then recovered"
)

func (s schedule) String() string {
	var parts []string
	for _, p := range s.strikes {
		parts = append(parts, p.String())
	}
	if s.after != nothing {
		parts = append(parts, string(s.after))
	}
	return s.path.name + ": " + strings.Join(parts, "; ")
}

// parse reads what String has written.
func parse(text string, paths []path, all []Disturbance) (schedule, error) {
	name, points, _ := strings.Cut(text, ": ")
	i := slices.IndexFunc(paths, func(p path) bool { return p.name == name })
	if i < 0 {
		return schedule{}, fmt.Errorf("there is no path %q", name)
	}
	s := schedule{path: paths[i]}
	for point := range strings.SplitSeq(points, "; ") {
		if a := afterwards(point); a == isReset || a == isResetAndCancelled || a == isRecoveredByAnother {
			s.after = a
			continue
		}
		activity, rest, _ := strings.Cut(point, "#")
		number, manner, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		i := slices.IndexFunc(all, func(d Disturbance) bool { return d.Name == manner })
		known := slices.ContainsFunc(paths, func(p path) bool { return slices.Contains(p.ops, op{activity, n}) })
		if err != nil || i < 0 || !known {
			return schedule{}, fmt.Errorf("%q is no disturbance of a call that the saga makes", point)
		}
		s.strikes = append(s.strikes, Strike{activity, n, all[i]})
	}
	return s, nil
}

// points are all single disturbances of the path's operations.
func (p path) points(all []Disturbance) []Strike {
	var out []Strike
	for _, o := range p.ops {
		for _, d := range all {
			out = append(out, Strike{o.activity, o.n, d})
		}
	}
	return out
}

// singles are the trials with one disturbance.
func (e *explorer) singles() []schedule {
	var out []schedule
	for _, p := range e.paths {
		for _, point := range p.points(e.disturbances) {
			out = append(out, schedule{path: p, strikes: []Strike{point}})
		}
	}
	return out
}

// pairs are the trials with two disturbances on the same path: all of them, or a draw.
func (e *explorer) pairs() []schedule {
	var out []schedule
	if e.bounds.Pairs != AllPairs {
		singles := e.singles()
		for range e.bounds.Pairs {
			first := singles[e.random.IntN(len(singles))]
			points := first.path.points(e.disturbances)
			second := points[e.random.IntN(len(points))]
			out = append(out, schedule{path: first.path, strikes: []Strike{first.strikes[0], second}})
		}
		return out
	}
	for _, p := range e.paths {
		points := p.points(e.disturbances)
		for i, first := range points {
			for _, second := range points[i+1:] {
				out = append(out, schedule{path: p, strikes: []Strike{first, second}})
			}
		}
	}
	return out
}

// mostDisturbances bounds the disturbances of a random schedule.
const mostDisturbances = 8

// randoms are trials with up to eight disturbances of any operations. When the saga has a fence, the workflow is then run once
// more.
func (e *explorer) randoms() []schedule {
	var ops []op
	for _, p := range e.paths {
		ops = append(ops, p.ops...)
	}
	after := []afterwards{nothing}
	if e.saga.Fence != "" {
		after = []afterwards{isReset, isResetAndCancelled}
	}
	if e.saga.Recover != nil {
		after = append(after, isRecoveredByAnother)
	}
	var out []schedule
	for range e.bounds.Random {
		s := schedule{path: pick(e.random, e.paths), after: pick(e.random, after)}
		for range 1 + e.random.IntN(mostDisturbances) {
			o := pick(e.random, ops)
			s.strikes = append(s.strikes, Strike{o.activity, o.n, pick(e.random, e.disturbances)})
		}
		out = append(out, s)
	}
	return out
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }
