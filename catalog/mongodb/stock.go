package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// units is what package stock keeps in a product's document.
type units struct {
	ID        string            `bson:"_id"`
	Available int64             `bson:"available"`
	Held      int64             `bson:"held"`
	Sold      int64             `bson:"sold"`
	Initial   int64             `bson:"initial"`
	Restocked int64             `bson:"restocked"`
	Epoch     int64             `bson:"epoch"`
	Marked    int               `bson:"marked"` // how many marks there are, so that guards need not count
	Marks     map[string]string `bson:"marks"`
	Deleted   bool              `bson:"deleted"`
}

// View implements stock.Store.
func (s *Store) View(ctx context.Context, reservationID string, productIDs []string) (map[string]stock.View, error) {
	cursor, err := s.products.Find(ctx, bson.D{{Key: "_id", Value: in(productIDs)}}, options.Find().SetProjection(bson.D{
		{Key: "available", Value: 1}, {Key: "epoch", Value: 1}, {Key: "marked", Value: 1}, {Key: "deleted", Value: 1},
		{Key: mark(reservationID), Value: 1},
	}))
	if err != nil {
		return nil, err
	}
	var found []units
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	out := map[string]stock.View{}
	for _, u := range found {
		out[u.ID] = stock.View{
			Available: u.Available, Epoch: u.Epoch, Mark: stock.Mark(u.Marks[reservationID]), Marks: u.Marked, Deleted: u.Deleted,
		}
	}
	return out, nil
}

// mark is the field with a reservation's mark. Reservation IDs have no dots.
func mark(reservationID string) string { return "marks." + reservationID }

// Apply implements stock.Store.
func (s *Store) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	inc := bson.D{}
	for _, c := range []struct {
		name string
		by   int64
	}{{"available", u.Available}, {"held", u.Held}, {"sold", u.Sold}, {"restocked", u.Restocked}} {
		if c.by != 0 {
			inc = append(inc, bson.E{Key: c.name, Value: c.by})
		}
	}
	if u.Want == stock.NoMark {
		inc = append(inc, bson.E{Key: "marked", Value: 1 + u.Recount})
	}
	change := bson.D{{Key: "$set", Value: bson.D{{Key: mark(u.Reservation), Value: u.Set}}}}
	if len(inc) > 0 {
		change = append(change, bson.E{Key: "$inc", Value: inc})
	}
	var after units
	err := s.products.FindOneAndUpdate(ctx, guard(u), change, options.FindOneAndUpdate().
		SetReturnDocument(options.After).
		SetProjection(bson.D{{Key: "epoch", Value: 1}, {Key: "marked", Value: 1}})).Decode(&after)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return stock.Applied{}, false, nil
	}
	return stock.Applied{Epoch: after.Epoch, Marks: after.Marked}, err == nil, err
}

// guard is the condition under which an update applies.
func guard(u stock.Update) bson.D {
	g := bson.D{{Key: "_id", Value: u.ProductID}}
	if u.Want == stock.NoMark {
		g = append(g, bson.E{Key: mark(u.Reservation), Value: exists(false)}, bson.E{Key: "epoch", Value: u.Epoch})
	} else {
		g = append(g, bson.E{Key: mark(u.Reservation), Value: u.Want})
	}
	if u.Takes() {
		g = append(g,
			bson.E{Key: "available", Value: bson.D{{Key: "$gte", Value: -u.Available}}},
			bson.E{Key: "marked", Value: bson.D{{Key: "$lt", Value: stock.MaxMarks}}},
			bson.E{Key: "deleted", Value: false})
	}
	return g
}

// Marks implements stock.Store.
func (s *Store) Marks(ctx context.Context, productID string) (map[string]stock.Mark, error) {
	u, err := s.units(ctx, productID)
	if err != nil {
		return nil, err
	}
	return u.marks(), nil
}

func (u units) marks() map[string]stock.Mark {
	out := map[string]stock.Mark{}
	for id, m := range u.Marks {
		out[id] = stock.Mark(m)
	}
	return out
}

// Prune implements stock.Store.
func (s *Store) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	guard, unset := bson.D{{Key: "_id", Value: productID}}, bson.D{}
	for id, m := range marks {
		guard = append(guard, bson.E{Key: mark(id), Value: m})
		unset = append(unset, bson.E{Key: mark(id), Value: ""})
	}
	result, err := s.products.UpdateOne(ctx, guard, bson.D{
		{Key: "$unset", Value: unset},
		{Key: "$inc", Value: bson.D{{Key: "epoch", Value: int64(1)}, {Key: "marked", Value: -len(marks)}}},
	})
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}

// Counters implements stock.Store.
func (s *Store) Counters(ctx context.Context, productID string) (stock.Counters, error) {
	u, err := s.units(ctx, productID)
	if err != nil {
		return stock.Counters{}, err
	}
	return u.counters(), nil
}

func (u units) counters() stock.Counters {
	return stock.Counters{
		ProductID: u.ID, Available: u.Available, Held: u.Held, Sold: u.Sold,
		Initial: u.Initial, Restocked: u.Restocked, Marks: u.Marked,
	}
}

func (s *Store) units(ctx context.Context, productID string) (units, error) {
	var u units
	err := s.products.FindOne(ctx, bson.D{{Key: "_id", Value: productID}}).Decode(&u)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return units{}, stock.ErrProduct
	}
	return u, err
}
