package stock

import (
	"context"
	"maps"
	"slices"
)

// pruneLater prunes a product in the background if it has many marks, one pruning at a time.
func (s *Service) pruneLater(productID string, marks int) {
	if marks < s.pruneAt {
		return
	}
	if _, busy := s.pruning.LoadOrStore(productID, true); busy {
		return
	}
	s.doLater("prune", productID, func(ctx context.Context) error {
		defer s.pruning.Delete(productID)
		return s.Prune(ctx, productID)
	})
}

// pruneBatch bounds how many marks one update removes, because each is a condition of the update.
const pruneBatch = 200

// Prune removes marks from a product whose owners are at rest.
func (s *Service) Prune(ctx context.Context, productID string) (err error) {
	defer wrap(&err, "prune product %s", productID)
	p, err := s.snapshot(ctx, productID)
	if err != nil {
		return err
	}
	final, err := s.store.FinalMarks(ctx, productID, slices.Collect(maps.Keys(p.Marks)))
	if err != nil {
		return err
	}
	prunable := map[string]Mark{}
	for id, mark := range p.Marks {
		if len(prunable) < pruneBatch && final[id] == mark {
			prunable[id] = mark
		}
	}
	if len(prunable) == 0 {
		return nil
	}
	if _, err := s.store.Prune(ctx, productID, prunable); err != nil {
		return err
	}
	s.epochs.forget(productID)
	return nil
}
