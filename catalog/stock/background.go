package stock

import (
	"context"
	"sync"
)

// What a Background needs: enough goroutines to keep a store of this kind busy, and room for a burst. With more room,
// calls would return much faster than their remaining work gets done, and the marks of unfinished orders would pile up on
// popular products.
const (
	BackgroundRoom       = 64
	BackgroundGoroutines = 8
)

// Background does the work that remains after a call has returned, and prunes, in a few goroutines. When its queue is
// full, callers do their work themselves, which slows them down to what the store can take.
type Background struct{ queue chan func(context.Context) }

// NewBackground returns a Background whose queue has room for that many tasks. Run must be called on it.
func NewBackground(room int) *Background { return &Background{make(chan func(context.Context), room)} }

// Later queues a task, or runs it at once if the queue is full.
func (b *Background) Later(task func(context.Context)) {
	select {
	case b.queue <- task:
	default:
		task(context.Background())
	}
}

// Run runs tasks in that many goroutines until ctx is done, then the rest of the queue. Tasks bound their own time.
func (b *Background) Run(ctx context.Context, goroutines int) {
	tasks := context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for {
				select {
				case task := <-b.queue:
					task(tasks)
				case <-ctx.Done():
					b.drain(tasks)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (b *Background) drain(ctx context.Context) {
	for {
		select {
		case task := <-b.queue:
			task(ctx)
		default:
			return
		}
	}
}
