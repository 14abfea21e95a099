package servicestest

import (
	"testing"
	"time"
)

// Eventually waits until condition holds, and fails the test when that takes longer than within. It is for what cannot be
// waited for in any other way than by asking again and again.
func Eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.After(within), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited %s in vain until %s", within, what)
		case <-t.Context().Done():
			t.Fatalf("the test ended before %s", what)
		case <-tick.C:
		}
	}
}
