package httpapi

import (
	"fmt"
	"net/http"
	"testing"
)

func TestLimiterForgetsClientsInsteadOfGrowing(t *testing.T) {
	t.Parallel()
	const size = 100
	l := newLimiter("test", 0.001, 1, size)
	for i := range 20 * size {
		if p := l.Take(fmt.Sprint(i), http.Header{}); p != nil {
			t.Fatalf("client %d: %v", i, p)
		}
	}
	l.buckets.CleanUp()
	if got := l.buckets.EstimatedSize(); got > size {
		t.Errorf("it remembers %d clients, want at most %d", got, size)
	}
}
