package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// watched shows tests every operation of a store, except those that only audits use.
type watched struct {
	stock.Store
	// decide says what becomes of an operation, which call runs, once, now or later. If decide returns an error, so does the
	// operation. The description begins with the name of the method.
	decide func(ctx context.Context, description string, call func(context.Context) error) error
}

func do[T any](ctx context.Context, w watched, description string, call func(context.Context) (T, error)) (T, error) {
	var result, nothing T
	err := w.decide(ctx, description, func(ctx context.Context) (err error) {
		result, err = call(ctx)
		return err
	})
	if err != nil {
		return nothing, err
	}
	return result, nil
}

// doOrMiss is do for operations that may miss.
func doOrMiss[T any](
	ctx context.Context, w watched, description string, call func(context.Context) (T, bool, error),
) (T, bool, error) {
	type result struct {
		value T
		ok    bool
	}
	r, err := do(ctx, w, description, func(ctx context.Context) (result, error) {
		v, ok, err := call(ctx)
		return result{v, ok}, err
	})
	return r.value, r.ok, err
}

func (w watched) Insert(ctx context.Context, r stock.Reservation) error {
	return w.decide(ctx, fmt.Sprintf("Insert %s %s", r.ID, r.State), func(ctx context.Context) error {
		return w.Store.Insert(ctx, r)
	})
}

func (w watched) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	return do(ctx, w, "Reservation "+id, func(ctx context.Context) (stock.Reservation, error) {
		return w.Store.Reservation(ctx, id)
	})
}

func (w watched) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	description := fmt.Sprintf("Change %s %s (%d returns) → %s %s", c.ID, c.From, c.Generation, c.To, c.Why)
	return doOrMiss(ctx, w, description, func(ctx context.Context) (stock.Reservation, bool, error) {
		return w.Store.Change(ctx, c)
	})
}

func (w watched) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	return do(ctx, w, "Due", func(ctx context.Context) ([]stock.Reservation, error) {
		return w.Store.Due(ctx, q)
	})
}

func (w watched) InsertAdjustment(ctx context.Context, a stock.Adjustment) error {
	return w.decide(ctx, "InsertAdjustment "+a.ID, func(ctx context.Context) error {
		return w.Store.InsertAdjustment(ctx, a)
	})
}

func (w watched) Adjustment(ctx context.Context, id string) (stock.Adjustment, error) {
	return do(ctx, w, "Adjustment "+id, func(ctx context.Context) (stock.Adjustment, error) {
		return w.Store.Adjustment(ctx, id)
	})
}

func (w watched) EndAdjustment(
	ctx context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	description := fmt.Sprintf("EndAdjustment %s → %s", id, to)
	return doOrMiss(ctx, w, description, func(ctx context.Context) (stock.Adjustment, bool, error) {
		return w.Store.EndAdjustment(ctx, id, to, available, at)
	})
}

func (w watched) PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error) {
	return do(ctx, w, "PendingAdjustments", func(ctx context.Context) ([]string, error) {
		return w.Store.PendingAdjustments(ctx, since, limit)
	})
}

func (w watched) View(ctx context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	return do(ctx, w, "View", func(ctx context.Context) (map[string]stock.View, error) {
		return w.Store.View(ctx, owner, productIDs)
	})
}

func (w watched) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	return doOrMiss(ctx, w, fmt.Sprintf("Apply %+v", u), func(ctx context.Context) (stock.After, bool, error) {
		return w.Store.Apply(ctx, u)
	})
}

func (w watched) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	description := fmt.Sprintf("Prune %s %v", productID, marks)
	return do(ctx, w, description, func(ctx context.Context) (bool, error) {
		return w.Store.Prune(ctx, productID, marks)
	})
}

func (w watched) FinalMarks(ctx context.Context, productID string, owners []string) (map[string]stock.Mark, error) {
	return do(ctx, w, "FinalMarks", func(ctx context.Context) (map[string]stock.Mark, error) {
		return w.Store.FinalMarks(ctx, productID, owners)
	})
}

func (w watched) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	return do(ctx, w, "Snapshots", func(ctx context.Context) (map[string]stock.Snapshot, error) {
		return w.Store.Snapshots(ctx, productIDs)
	})
}
