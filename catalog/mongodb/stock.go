package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// View implements stock.Store.
func (s *Store) View(ctx context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	fields := only("available", "epoch", "markCount", "deleted")
	if owner != "" {
		fields = append(fields, bson.E{Key: mark(owner), Value: 1})
	}
	found, err := find[stock.Snapshot](ctx, s.products, bson.D{{Key: "_id", Value: in(productIDs)}},
		options.Find().SetProjection(fields))
	out := map[string]stock.View{}
	for _, p := range found {
		out[p.ProductID] = p.View(owner)
	}
	return out, err
}

// mark is the field with an owner's mark. The IDs of owners have no dots.
func mark(owner string) string { return "marks." + owner }

// Apply implements stock.Store.
func (s *Store) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	inc := bson.D{}
	if u.Available != 0 {
		inc = append(inc, bson.E{Key: "available", Value: u.Available})
	}
	if u.Restocked != 0 {
		inc = append(inc, bson.E{Key: "restocked", Value: u.Restocked})
	}
	if u.Was == stock.NoMark {
		inc = append(inc, bson.E{Key: "markCount", Value: 1 + u.Marks})
	}
	change := bson.D{{Key: "$set", Value: bson.D{{Key: mark(u.Owner), Value: u.Set}}}}
	if len(inc) > 0 {
		change = append(change, bson.E{Key: "$inc", Value: inc})
	}
	p, ok, err := one[stock.Snapshot](s.products.FindOneAndUpdate(ctx, guard(u), change,
		after().SetProjection(only("epoch", "markCount"))))
	return stock.After{Epoch: p.Epoch, Marks: p.MarkCount}, ok, err
}

// guard is the condition under which an update applies.
func guard(u stock.Update) bson.D {
	g := byID(u.ProductID)
	if u.Was == stock.NoMark {
		g = append(g, bson.E{Key: mark(u.Owner), Value: exists(false)}, bson.E{Key: "epoch", Value: u.Epoch})
	} else {
		g = append(g, bson.E{Key: mark(u.Owner), Value: u.Was})
	}
	if u.Takes() {
		g = append(g,
			bson.E{Key: "available", Value: bson.D{{Key: "$gte", Value: -u.Available}}},
			bson.E{Key: "markCount", Value: bson.D{{Key: "$lt", Value: stock.MaxMarks}}},
			bson.E{Key: "deleted", Value: false})
	}
	return g
}

// Prune implements stock.Store.
func (s *Store) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	guard, unset := byID(productID), bson.D{}
	for owner, m := range marks {
		guard = append(guard, bson.E{Key: mark(owner), Value: m})
		unset = append(unset, bson.E{Key: mark(owner), Value: ""})
	}
	result, err := s.products.UpdateOne(ctx, guard, bson.D{
		{Key: "$unset", Value: unset},
		{Key: "$inc", Value: bson.D{{Key: "epoch", Value: int64(1)}, {Key: "markCount", Value: -len(marks)}}},
	})
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}

// Snapshots implements stock.Store.
func (s *Store) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	found, err := find[stock.Snapshot](ctx, s.products, bson.D{{Key: "_id", Value: in(productIDs)}},
		options.Find().SetProjection(only("available", "initial", "restocked", "epoch", "markCount", "marks", "deleted")))
	out := map[string]stock.Snapshot{}
	for _, p := range found {
		out[p.ProductID] = p
	}
	return out, err
}
