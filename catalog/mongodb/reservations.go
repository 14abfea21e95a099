package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// reservation is a document in the collection reservations.
type reservation struct {
	ID        string     `bson:"_id"`
	State     string     `bson:"state"`
	From      string     `bson:"from,omitempty"`
	Why       string     `bson:"why,omitempty"`
	Lines     []line     `bson:"lines,omitempty"`
	ExpiresAt time.Time  `bson:"expiresAt,omitempty"`
	Shortages []shortage `bson:"shortages,omitempty"`
	Steps     []step     `bson:"steps,omitempty"`
	CreatedAt time.Time  `bson:"createdAt"`
	UpdatedAt time.Time  `bson:"updatedAt"`
}

type line struct {
	ProductID string `bson:"productId"`
	Quantity  int64  `bson:"quantity"`
}

type shortage struct {
	ProductID string `bson:"productId"`
	Requested int64  `bson:"requested"`
	Available int64  `bson:"available"`
}

type step struct {
	To string    `bson:"to"`
	At time.Time `bson:"at"`
}

func toDocument(r stock.Reservation) reservation {
	d := reservation{
		ID: r.ID, State: string(r.State), From: string(r.From), Why: string(r.Why),
		ExpiresAt: r.ExpiresAt, Shortages: toShortages(r.Shortages),
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	for _, l := range r.Lines {
		d.Lines = append(d.Lines, line(l))
	}
	return d
}

func toShortages(in []stock.Shortage) []shortage {
	var out []shortage
	for _, s := range in {
		out = append(out, shortage(s))
	}
	return out
}

func (d reservation) reservation() stock.Reservation {
	r := stock.Reservation{
		ID: d.ID, State: stock.State(d.State), From: stock.State(d.From), Why: stock.Why(d.Why),
		ExpiresAt: d.ExpiresAt, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	for _, l := range d.Lines {
		r.Lines = append(r.Lines, stock.Line(l))
	}
	for _, s := range d.Shortages {
		r.Shortages = append(r.Shortages, stock.Shortage(s))
	}
	for _, s := range d.Steps {
		r.Steps = append(r.Steps, stock.Step{To: stock.State(s.To), At: s.At})
	}
	return r
}

// Insert implements stock.Store.
func (s *Store) Insert(ctx context.Context, r stock.Reservation) error {
	return insert(ctx, s.reservations, toDocument(r), stock.ErrExists)
}

// Reservation implements stock.Store.
func (s *Store) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	d, err := found[reservation](s.reservations.FindOne(ctx, byID(id)), stock.ErrNotFound)
	return d.reservation(), err
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
		set = append(set, bson.E{Key: "shortages", Value: toShortages(c.Shortages)})
	}
	push := bson.D{{Key: "steps", Value: step{string(c.To), c.At}}}
	d, ok, err := one[reservation](s.reservations.FindOneAndUpdate(ctx, guard,
		bson.D{{Key: "$set", Value: set}, {Key: "$push", Value: push}}, after()))
	return d.reservation(), ok, err
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
	found, err := find[reservation](ctx, s.foundReservations, filter,
		options.Find().SetLimit(int64(q.Limit)).SetSort(keys("updatedAt", "_id")))
	var out []stock.Reservation
	for _, d := range found {
		out = append(out, d.reservation())
	}
	return out, err
}

// States implements stock.Store. The states may be a moment old. That is enough for pruning: a mark is removed only if it
// is still the one of that state, and after a state at rest, an absent mark means the same as a present one.
func (s *Store) States(ctx context.Context, ids []string) (map[string]stock.State, error) {
	found, err := find[reservation](ctx, s.foundReservations, bson.D{{Key: "_id", Value: in(ids)}},
		options.Find().SetProjection(only("state")))
	out := map[string]stock.State{}
	for _, d := range found {
		out[d.ID] = stock.State(d.State)
	}
	return out, err
}
