package mongodb

import (
	"context"

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
	return found[stock.Reservation](s.reservations.FindOne(ctx, byID(id)), stock.ErrNotFound)
}

// Change implements stock.Store.
func (s *Store) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	guard := append(byID(c.ID), bson.E{Key: "state", Value: c.From})
	if !c.UnexpiredAt.IsZero() {
		guard = append(guard, bson.E{Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: c.UnexpiredAt}}})
	}
	set := bson.D{{Key: "state", Value: c.To}, {Key: "updatedAt", Value: c.At}}
	if c.To == stock.Releasing {
		set = append(set, bson.E{Key: "from", Value: c.From}, bson.E{Key: "why", Value: c.Why})
	}
	if len(c.Shortages) > 0 {
		set = append(set, bson.E{Key: "shortages", Value: c.Shortages})
	}
	push := bson.D{{Key: "steps", Value: stock.Step{To: c.To, At: c.At}}}
	return one[stock.Reservation](s.reservations.FindOneAndUpdate(ctx, guard,
		bson.D{{Key: "$set", Value: set}, {Key: "$push", Value: push}}, after()))
}

// Due implements stock.Store.
func (s *Store) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	filter := bson.D{{Key: "state", Value: in(q.States)}}
	if q.ProductID != "" {
		filter = append(filter, bson.E{Key: "lines.productId", Value: q.ProductID})
	}
	if !q.ExpiredBy.IsZero() {
		filter = append(filter, bson.E{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: q.ExpiredBy}}})
	}
	if !q.UnchangedFor.IsZero() {
		filter = append(filter, bson.E{Key: "updatedAt", Value: bson.D{{Key: "$lte", Value: q.UnchangedFor}}})
	}
	return find[stock.Reservation](ctx, s.foundReservations, filter,
		options.Find().SetLimit(int64(q.Limit)).SetSort(keys("updatedAt", "_id")))
}

// FinalMarks implements stock.Store. The states may be a moment old. That is enough for pruning: a mark is removed only if
// it is still the one of that state, and after a state at rest, an absent mark means the same as a present one.
func (s *Store) FinalMarks(ctx context.Context, owners []string) (map[string]stock.Mark, error) {
	filter, state := bson.D{{Key: "_id", Value: in(owners)}}, options.Find().SetProjection(only("state"))
	out := map[string]stock.Mark{}
	reservations, err := find[stock.Reservation](ctx, s.foundReservations, filter, state)
	for _, r := range reservations {
		out[r.ID] = r.State.Mark()
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
