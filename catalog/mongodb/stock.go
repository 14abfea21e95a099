package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// ProductIDs implements stock.Store.
func (s *Store) ProductIDs(ctx context.Context, after string, limit int) ([]string, error) {
	found, err := find[stock.Counters](ctx, s.products, bson.M{"_id": bson.M{"$gt": after}},
		options.Find().SetSort(keys("_id")).SetLimit(int64(limit)).SetProjection(keys("_id")))
	var out []string
	for _, p := range found {
		out = append(out, p.ProductID)
	}
	return out, err
}

// View implements stock.Store.
func (s *Store) View(ctx context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	fields := keys("available", "epoch", "markCount", "deleted")
	if owner != "" {
		fields = append(fields, keys(mark(owner))...)
	}
	found, err := find[stock.Snapshot](ctx, s.products, bson.M{"_id": in(productIDs)}, options.Find().SetProjection(fields))
	out := map[string]stock.View{}
	for _, p := range found {
		out[p.ProductID] = p.View(owner)
	}
	return out, err
}

// Snapshots implements stock.Store.
func (s *Store) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	fields := keys("available", "initial", "restocked", "epoch", "markCount", "marks", "deleted")
	found, err := find[stock.Snapshot](ctx, s.products, bson.M{"_id": in(productIDs)}, options.Find().SetProjection(fields))
	out := map[string]stock.Snapshot{}
	for _, p := range found {
		out[p.ProductID] = p
	}
	return out, err
}

// mark is the field with an owner's mark. The IDs of owners have no dots.
func mark(owner string) string { return "marks." + owner }

// Apply implements stock.Store.
func (s *Store) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	inc := bson.M{"available": u.Available, "restocked": u.Restocked}
	if u.Was == stock.NoMark {
		inc["markCount"] = 1 + u.Marks
	}
	p, ok, err := one[stock.Snapshot](s.products.FindOneAndUpdate(ctx, guard(u),
		bson.M{"$set": bson.M{mark(u.Owner): u.Set}, "$inc": inc}, after().SetProjection(keys("epoch", "markCount"))))
	return stock.After{Epoch: p.Epoch, Marks: p.MarkCount}, ok, err
}

// guard is the condition under which an update applies.
func guard(u stock.Update) bson.M {
	g := bson.M{"_id": u.ProductID, mark(u.Owner): u.Was}
	if u.Was == stock.NoMark {
		g[mark(u.Owner)], g["epoch"] = bson.M{"$exists": false}, u.Epoch
	}
	if u.Takes() {
		g["available"] = bson.M{"$gte": -u.Available}
		g["markCount"] = bson.M{"$lt": stock.MaxMarks}
		g["deleted"] = false
	}
	return g
}

// Prune implements stock.Store.
func (s *Store) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	guard, unset := bson.M{"_id": productID}, bson.M{}
	for owner, m := range marks {
		guard[mark(owner)], unset[mark(owner)] = m, ""
	}
	result, err := s.products.UpdateOne(ctx, guard, bson.M{
		"$unset": unset, "$inc": bson.M{"epoch": int64(1), "markCount": -len(marks)},
	})
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}
