package memorytest

import (
	"context"
	"slices"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// wrongReturns are stores that misbehave only for returns. Each lacks one of the rules that package stock relies on.
func (s *Store) wrongReturns() map[string]Wrong {
	over := func(wrong func(right stock.Store) stock.Store) Wrong { return Wrong{Over: wrong} }
	return map[string]Wrong{
		"forgets the IDs of returns":       over(func(right stock.Store) stock.Store { return noReturnIDs{right} }),
		"admits returns in any generation": over(anyGeneration(stock.Returning)),
		"ends returns in any generation":   over(anyGeneration(stock.Sold)),
		"ignores the generation of marks":  over(func(right stock.Store) stock.Store { return noMarkGeneration{right} }),
		"ignores the epoch of returns":     over(func(right stock.Store) stock.Store { return noReturnEpoch{noEpoch{right}} }),
		"does not raise the epoch":         over(func(right stock.Store) stock.Store { return noRaise{right, s} }),
		"prunes returns at work":           over(func(right stock.Store) stock.Store { return earlyPruning{right} }),
		"sweeps no returns":                over(func(right stock.Store) stock.Store { return noSweep{right} }),
	}
}

// isReturn reports whether a mark was left by a return.
func isReturn(m stock.Mark) bool {
	generation, taken := m.Taken()
	return taken && generation > 0
}

// noReturnIDs takes a repeated return for another one.
type noReturnIDs struct{ stock.Store }

func (s noReturnIDs) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	r, err := s.Store.Reservation(ctx, id)
	r.Returns = slices.Clone(r.Returns)
	for i := range r.Returns {
		r.Returns[i].ID = ""
	}
	return r, err
}

// anyGeneration returns a store that ignores the generation of changes to a state.
func anyGeneration(to stock.State) func(stock.Store) stock.Store {
	return func(right stock.Store) stock.Store { return wrongGeneration{right, to} }
}

type wrongGeneration struct {
	stock.Store
	to stock.State
}

func (s wrongGeneration) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	if c.To == s.to {
		r, err := s.Reservation(ctx, c.ID)
		if err != nil {
			return stock.Reservation{}, false, err
		}
		c.Generation = r.Generation()
	}
	return s.Store.Change(ctx, c)
}

// noMarkGeneration takes all marks of an order that has taken units for the same.
type noMarkGeneration struct{ stock.Store }

func (s noMarkGeneration) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	v, err := view(ctx, s, u)
	if err != nil {
		return stock.After{}, false, err
	}
	_, was := u.Was.Taken()
	if _, is := v.Mark.Taken(); was && is {
		u.Was = v.Mark
	}
	return s.Store.Apply(ctx, u)
}

// noReturnEpoch ignores the epoch only of returns.
type noReturnEpoch struct{ noEpoch }

func (s noReturnEpoch) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	if !isReturn(u.Set) {
		return s.Store.Apply(ctx, u)
	}
	return s.noEpoch.Apply(ctx, u)
}

// noRaise does not raise the epoch when it prunes marks of returns.
type noRaise struct {
	stock.Store
	memory *Store
}

func (s noRaise) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	ok, err := s.Store.Prune(ctx, productID, marks)
	for _, m := range marks {
		if ok && isReturn(m) {
			s.memory.mu.Lock()
			s.memory.products[productID].Epoch--
			s.memory.mu.Unlock()
			break
		}
	}
	return ok, err
}

// earlyPruning takes a return for done that is at work.
type earlyPruning struct{ stock.Store }

func (s earlyPruning) FinalMarks(ctx context.Context, productID string, owners []string) (map[string]stock.Mark, error) {
	marks, err := s.Store.FinalMarks(ctx, productID, owners)
	for _, id := range owners {
		if r, _ := s.Reservation(ctx, id); r.State == stock.Returning {
			r.State = stock.Sold
			marks[id] = r.Mark(productID)
		}
	}
	return marks, err
}

// noSweep does not find returns that are at work.
type noSweep struct{ stock.Store }

func (s noSweep) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	found, err := s.Store.Due(ctx, q)
	return slices.DeleteFunc(found, func(r stock.Reservation) bool { return r.State == stock.Returning }), err
}
