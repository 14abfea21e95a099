package readiness_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

func TestAProblemCountsForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r readiness.Recent
		if err := r.Err(); err != nil {
			t.Errorf("before the first problem: %v", err)
		}
		r.Note("first")
		r.Note("disk full")
		time.Sleep(readiness.Lasting - time.Nanosecond)
		var p readiness.Problem
		if err := fmt.Errorf("check: %w", r.Err()); !errors.As(err, &p) || p != "disk full" {
			t.Errorf("soon after: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := r.Err(); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}
