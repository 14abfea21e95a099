package stock

import (
	"context"
	"sync"
)

// What a Background needs: goroutines that keep a store of its kind busy, and room for a burst. More room would let callers
// run away from what they leave behind: the marks of unfinished orders pile up on the products that everybody wants.
const (
	BackgroundRoom       = 64
	BackgroundGoroutines = 8
)

// Background does work that nobody waits for (what is left of reservations after their answer, and pruning), in a few
// goroutines. When its queue is full, whoever brings work does it himself, which slows callers down to what the store can
// take.
type Background struct{ queue chan func(context.Context) }

// NewBackground returns a Background with room for that many tasks. Its Run must be called.
func NewBackground(room int) *Background { return &Background{make(chan func(context.Context), room)} }

// Later takes a task.
func (b *Background) Later(task func(context.Context)) {
	select {
	case b.queue <- task:
	default:
		task(context.Background())
	}
}

// Run does tasks in that many goroutines until ctx is done, then what is left in the queue. Tasks bound their own time.
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
