package stock

import (
	"context"
	"fmt"
	"sync"
)

// tidying keeps the marks on products few.
type tidying struct {
	at int // marks from which on a product is pruned

	mu   sync.Mutex
	busy map[string]bool // products that this service is pruning
}

func (t *tidying) begin(productID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[productID] {
		return false
	}
	if t.busy == nil {
		t.busy = map[string]bool{}
	}
	t.busy[productID] = true
	return true
}

func (t *tidying) end(productID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, productID)
}

// pruneLater has a product pruned, once at a time, when it carries many marks.
func (s *Service) pruneLater(productID string, marks int) {
	if marks < s.tidy.at || !s.tidy.begin(productID) {
		return
	}
	s.doLater("prune", productID, func(ctx context.Context) error {
		defer s.tidy.end(productID)
		return s.Prune(ctx, productID)
	})
}

// pruneBatch bounds how many marks one update removes: each is a condition of it.
const pruneBatch = 200

// Prune removes the marks of reservations at rest from a product. It goes for those of finished orders first: a mark
// that is pruned from a hold costs its commit a round trip.
func (s *Service) Prune(ctx context.Context, productID string) error {
	marks, err := s.store.Marks(ctx, productID)
	if err != nil {
		return fmt.Errorf("prune product %s: %w", productID, err)
	}
	ids := make([]string, 0, len(marks))
	for id := range marks {
		ids = append(ids, id)
	}
	states, err := s.store.States(ctx, ids)
	if err != nil {
		return fmt.Errorf("prune product %s: %w", productID, err)
	}
	prunable := map[string]Mark{}
	for _, hold := range []bool{false, true} {
		if hold && len(marks)-len(prunable) < s.tidy.at/2 {
			break
		}
		for id, mark := range marks {
			state, known := states[id]
			if len(prunable) < pruneBatch && known && (state == Held) == hold && state.mark() == mark {
				prunable[id] = mark
			}
		}
	}
	if len(prunable) == 0 {
		return nil
	}
	if _, err := s.store.Prune(ctx, productID, prunable); err != nil {
		return fmt.Errorf("prune product %s: %w", productID, err)
	}
	s.epochs.forget(productID)
	return nil
}
