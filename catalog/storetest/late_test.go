package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// lateTake plays the one history that the epoch is for. The take of an order fails for its caller, which repeats it. The
// order is sold and its mark is pruned. Then the first take arrives and finds no mark. lateTake returns an error if that
// take gets units for an order that already has its own. The product needs two units.
func lateTake(ctx context.Context, store stock.Store, productID string) error {
	const id = "late"
	stalled := &stalling{Store: store, stalls: stock.Update.Takes}
	service := stock.New(stalled, stock.Options{})
	reserve := func() error {
		_, err := service.Reserve(ctx, id, []stock.Line{{ProductID: productID, Quantity: 1}}, time.Now().Add(time.Hour))
		return err
	}
	if err := reserve(); !errors.Is(err, errLost) || stalled.stalled == nil {
		return fmt.Errorf("the reserve whose take stalls: %w", err)
	}
	if err := reserve(); err != nil {
		return fmt.Errorf("the repeated reserve: %w", err)
	}
	if _, err := service.Commit(ctx, id); err != nil {
		return err
	}
	return stalled.arriveAfterPruning(ctx, service, productID, errTakenTwice)
}

var errTakenTwice = errors.New("a take that came late changed the product again")

func read(ctx context.Context, store stock.Store, productID string) (stock.Snapshot, error) {
	found, err := store.Snapshots(ctx, []string{productID})
	if _, ok := found[productID]; err == nil && !ok {
		err = stock.ErrProduct
	}
	return found[productID], err
}

// stalling holds back the first update of a kind, which fails for its caller.
type stalling struct {
	stock.Store
	stalls  func(stock.Update) bool
	stalled *stock.Update
}

func (s *stalling) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	if s.stalled == nil && s.stalls(u) {
		s.stalled = &u
		return stock.After{}, false, errLost
	}
	return s.Store.Apply(ctx, u)
}

// arriveAfterPruning prunes all marks of the product and lets the stalled update arrive. It returns the error if the update
// has an effect.
func (s *stalling) arriveAfterPruning(ctx context.Context, service *stock.Service, productID string, effect error) error {
	if err := service.Prune(ctx, productID); err != nil {
		return err
	}
	before, err := read(ctx, s.Store, productID)
	if err != nil {
		return err
	}
	if len(before.Marks) != 0 {
		return fmt.Errorf("the marks %v are left after pruning", before.Marks)
	}
	if _, _, err := s.Store.Apply(ctx, *s.stalled); err != nil {
		return err
	}
	after, err := read(ctx, s.Store, productID)
	if err == nil && after.Counters != before.Counters {
		err = fmt.Errorf("%w: %+v became %+v", effect, before, after)
	}
	return err
}
