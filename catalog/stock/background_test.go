package stock_test

import (
	"context"
	"testing"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

func TestBackgroundRunsEveryTaskEvenIfItsQueueIsFull(t *testing.T) {
	t.Parallel()
	b := stock.NewBackground(2)
	done := 0
	for range 5 { // two are queued, the others run at once
		b.Later(func(context.Context) { done++ })
	}
	if done != 3 {
		t.Errorf("%d tasks ran at once, want 3", done)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	b.Run(ended, 1)
	if done != 5 {
		t.Errorf("%d tasks ran in all, want 5", done)
	}
}
