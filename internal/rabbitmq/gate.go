package rabbitmq

import (
	"context"
	"sync"
)

// gate holds callers back while it is closed. The zero value is open.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil while the gate is open; open closes it to release the waiting
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) isOpen() bool { return g.waiting() == nil }

func (g *gate) waiting() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// wait returns nil once the gate is open, or the error of the first context that ends before.
func (g *gate) wait(ctx, other context.Context) error {
	opened := g.waiting()
	if opened == nil {
		return nil
	}
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-other.Done():
		return other.Err()
	}
}
