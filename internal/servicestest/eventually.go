package servicestest

import (
	"testing"
	"time"
)

// Eventually polls condition until it holds, and fails the test after the given time. Use it only where no event can be
// waited for.
func Eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.After(within), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("timed out after %s waiting for: %s", within, what)
		case <-t.Context().Done():
			t.Fatalf("the test ended while waiting for: %s", what)
		case <-tick.C:
		}
	}
}
