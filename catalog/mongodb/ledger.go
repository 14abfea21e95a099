package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Insert implements stock.Store.
func (s *Store) Insert(ctx context.Context, r stock.Reservation) error {
	return insert(ctx, s.reservations, r, stock.ErrExists)
}

// Reservation implements stock.Store.
func (s *Store) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	return found[stock.Reservation](s.reservations.FindOne(ctx, bson.M{"_id": id}), stock.ErrNotFound)
}

// Change implements stock.Store.
func (s *Store) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	guard := bson.M{"_id": c.ID, "state": c.From, "returns": bson.M{"$exists": false}}
	if c.Generation > 0 {
		guard["returns"] = bson.M{"$size": c.Generation}
	}
	if !c.UnexpiredAt.IsZero() {
		guard["expiresAt"] = bson.M{"$gt": c.UnexpiredAt}
	}
	set := bson.M{"state": c.To, "updatedAt": c.At}
	if c.To == stock.Releasing {
		set["from"], set["why"] = c.From, c.Why
	}
	if len(c.Shortages) > 0 {
		set["shortages"] = c.Shortages
	}
	push := bson.M{"steps": stock.Step{To: c.To, At: c.At}}
	if c.Return != nil {
		push["returns"] = c.Return
	}
	change := bson.M{"$set": set, "$push": push}
	return one[stock.Reservation](s.reservations.FindOneAndUpdate(ctx, guard, change, after()))
}

// Due implements stock.Store.
func (s *Store) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	filter := bson.M{"state": in(q.States)}
	if q.ProductID != "" {
		filter["lines.productId"] = q.ProductID
	}
	if !q.ExpiredBy.IsZero() {
		filter["expiresAt"] = bson.M{"$lte": q.ExpiredBy}
	}
	if !q.UnchangedFor.IsZero() {
		filter["updatedAt"] = bson.M{"$lte": q.UnchangedFor}
	}
	return find[stock.Reservation](ctx, s.foundReservations, filter,
		options.Find().SetLimit(int64(q.Limit)).SetSort(keys("updatedAt", "_id")))
}

// Reservations implements stock.Store.
func (s *Store) Reservations(
	ctx context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error,
) error {
	return each(ctx, s.foundReservations, changedSince("lines.productId", productIDs, since), yield)
}

func changedSince(field string, productIDs []string, since time.Time) bson.M {
	filter := bson.M{field: in(productIDs)}
	if !since.IsZero() {
		filter["updatedAt"] = bson.M{"$gte": since}
	}
	return filter
}

// InsertAdjustment implements stock.Store.
func (s *Store) InsertAdjustment(ctx context.Context, a stock.Adjustment) error {
	return insert(ctx, s.adjustments, a, stock.ErrExists)
}

// Adjustment implements stock.Store.
func (s *Store) Adjustment(ctx context.Context, id string) (stock.Adjustment, error) {
	return found[stock.Adjustment](s.adjustments.FindOne(ctx, bson.M{"_id": id}), stock.ErrNotFound)
}

// EndAdjustment implements stock.Store.
func (s *Store) EndAdjustment(
	ctx context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	guard := bson.M{"_id": id, "state": stock.Pending}
	change := bson.M{"$set": bson.M{"state": to, "available": available, "updatedAt": at}}
	return one[stock.Adjustment](s.adjustments.FindOneAndUpdate(ctx, guard, change, after()))
}

// PendingAdjustments implements stock.Store.
func (s *Store) PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error) {
	found, err := find[stock.Adjustment](ctx, s.foundAdjustments,
		bson.M{"state": stock.Pending, "updatedAt": bson.M{"$lte": since}},
		options.Find().SetSort(keys("updatedAt")).SetLimit(int64(limit)).SetProjection(keys("_id")))
	var out []string
	for _, a := range found {
		out = append(out, a.ID)
	}
	return out, err
}

// Adjustments implements stock.Store.
func (s *Store) Adjustments(
	ctx context.Context, productIDs []string, since time.Time, yield func(stock.Adjustment) error,
) error {
	return each(ctx, s.foundAdjustments, changedSince("productId", productIDs, since), yield)
}

// FinalMarks implements stock.Store. The states may be a moment old. That is enough for pruning: a mark is removed only if
// it is still the one of that state and generation, and after a state at rest, an absent mark means the same as a present
// one.
func (s *Store) FinalMarks(ctx context.Context, productID string, owners []string) (map[string]stock.Mark, error) {
	filter, state := bson.M{"_id": in(owners)}, options.Find().SetProjection(keys("state", "returns"))
	out := map[string]stock.Mark{}
	reservations, err := find[stock.Reservation](ctx, s.foundReservations, filter, state)
	for _, r := range reservations {
		out[r.ID] = r.Mark(productID)
	}
	if err != nil || len(out) == len(owners) {
		return out, err
	}
	adjustments, err := find[stock.Adjustment](ctx, s.foundAdjustments, filter, state)
	for _, a := range adjustments {
		out[a.ID] = a.State.Mark()
	}
	return out, err
}
