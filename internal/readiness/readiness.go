// Package readiness says what a program cannot do at the moment, in words that /readyz may show. Errors of drivers can hold
// addresses and names, so /readyz shows no text but a Problem's.
package readiness

import (
	"sync/atomic"
	"time"
)

// Problem is an error whose text /readyz shows: what cannot be done, in a few words without a name or an address.
type Problem string

func (p Problem) Error() string { return string(p) }

// Lasting is how long a problem that a call met counts. A program that works, or retries, meets it again within that time.
const Lasting = 10 * time.Second

// Recent is the last problem that a call met and that no check would find, for example a full disk: only writing shows it.
// The zero value has seen none. It is safe for concurrent use.
type Recent struct{ last atomic.Pointer[met] }

type met struct {
	problem Problem
	at      time.Time
}

// Note remembers a problem.
func (r *Recent) Note(p Problem) { r.last.Store(&met{p, time.Now()}) }

// Err returns the last Problem until it is Lasting old, then nil.
func (r *Recent) Err() error {
	if m := r.last.Load(); m != nil && time.Since(m.at) < Lasting {
		return m.problem
	}
	return nil
}
