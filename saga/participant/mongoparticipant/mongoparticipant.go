// Package mongoparticipant keeps a participant's marks in MongoDB, without transactions: it works on every server that
// changes one document atomically. A step changes one document, and its mark is an element of that document's array
// saga_marks, written by the same update.
//
//	booking, err := mongoparticipant.Do(ctx, mongoparticipant.Document{Collection: hotels, ID: in.Hotel}, in.Key, in,
//		mongoparticipant.Change{
//			If:     bson.D{{"free", bson.D{{"$gt", 0}}}},
//			Update: bson.D{{"$inc", bson.D{{"free", -1}}}},
//		}, Booking{Number: newNumber()})
//	if errors.Is(err, mongoparticipant.ErrNoMatch) {
//		return booking, saga.Refuse("full", "no free room", nil)
//	}
//
// Every mark makes its document larger by some 300 bytes. Prune them, or give each saga a document of its own
// ([Document] Create). Leave the write concern at majority, the default: a failover could otherwise forget a mark.
package mongoparticipant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/saga/participant"
)

// Document is what a step changes.
type Document struct {
	Collection *mongo.Collection
	ID         any // its _id
	// Create says that the document belongs to the saga. A step creates it. An undo that comes first creates it too, with
	// nothing but the tombstone: readers of the collection must not take such a document for a real one. Without Create, an
	// undo that finds no document leaves no tombstone, so a document must not get the ID of another that was deleted.
	Create bool
}

// Change is an update of a document under a condition.
type Change struct {
	If     bson.D // the condition, as a filter; empty: always. Do, Pivot and Fence take none with Create.
	Update bson.D // update operators such as $inc and $set, with values of type bson.D or bson.M; may be empty
}

// ErrNoMatch is returned when the condition does not hold, or when there is no document. For a step it usually means a
// refusal.
var ErrNoMatch = errors.New("the document does not match the condition")

// Do applies a step's change and keeps its result under the key. A repeated call changes nothing and returns the first
// result. A call after the step's undo returns participant.ErrUndone.
//
// request is what must be the same in all calls with the key, see [participant.Do]. The result must survive JSON.
func Do[O any](ctx context.Context, d Document, key string, request any, c Change, result O) (O, error) {
	var none O
	m, err := participant.NewMark(key, participant.Done, request)
	if err != nil {
		return none, err
	}
	if err := m.Encode(result); err != nil {
		return none, err
	}
	stored, claimed, err := d.claim(ctx, m, c)
	if err != nil {
		return none, err
	}
	if claimed {
		return result, nil
	}
	var first O
	if err := stored.Replay(m, &first); err != nil {
		return none, err
	}
	return first, nil
}

// Undo takes the step with the key back: it applies, once, the change that undo makes of the step's result. When the step
// has not taken effect, or was taken back before, Undo changes nothing and succeeds. Afterwards Do returns
// participant.ErrUndone.
func Undo[O any](ctx context.Context, d Document, key string, undo func(result O) Change) error {
	tombstone, err := participant.NewTombstone(key)
	if err != nil {
		return err
	}
	stored, claimed, err := d.claim(ctx, tombstone, Change{})
	switch {
	case errors.Is(err, ErrNoMatch):
		return nil // there is no document, so nothing to take back
	case err != nil || claimed || stored.State == participant.Undone:
		return err
	}
	var result O
	if err := stored.Decode(&result); err != nil {
		return err
	}
	stored, err = d.advance(ctx, participant.Done, tombstone, undo(result))
	if err == nil && stored.State != participant.Undone {
		err = fmt.Errorf("undo step %s: %w", key, ErrNoMatch)
	}
	return err
}

// Pivot decides that the saga goes forward, unless its fence was first, and applies the change with the decision. Only the
// verdict Forward says that the pivot has happened, now or earlier.
func Pivot(ctx context.Context, d Document, saga string, c Change) (participant.Verdict, error) {
	return d.decide(ctx, saga, participant.Pivoted, c)
}

// Fence makes sure that the pivot never happens, unless it already has, and applies the change with the decision. See
// participant.Fence for what the verdicts mean.
func Fence(ctx context.Context, d Document, saga string, c Change) (participant.Verdict, error) {
	return d.decide(ctx, saga, participant.Fenced, c)
}

func (d Document) decide(ctx context.Context, saga string, state participant.State, c Change) (participant.Verdict, error) {
	m, err := participant.NewDecision(saga, state)
	if err != nil {
		return 0, err
	}
	stored, _, err := d.claim(ctx, m, c)
	if err != nil {
		return 0, err
	}
	return stored.Verdict()
}

// Finish records that the saga is unwound, and applies the change with it: a fenced saga has Ended. A saga whose pivot has
// happened stays Forward. Without a pivot and a fence, Finish returns participant.ErrNotFenced.
func Finish(ctx context.Context, d Document, saga string, c Change) (participant.Verdict, error) {
	m, err := participant.NewDecision(saga, participant.Finished)
	if err != nil {
		return 0, err
	}
	stored, err := d.advance(ctx, participant.Fenced, m, c)
	switch {
	case err != nil:
		return 0, err
	case stored.State == "":
		return 0, fmt.Errorf("saga %s: %w", saga, participant.ErrNotFenced)
	case stored.State == participant.Fenced:
		return 0, fmt.Errorf("finish saga %s: %w", saga, ErrNoMatch)
	}
	return stored.Verdict()
}

// Prune removes the marks that reached the state before the given time from all documents of the collection, and returns
// the number of documents. See the comment of package participant for when that is safe.
func Prune(ctx context.Context, c *mongo.Collection, state participant.State, before time.Time) (int64, error) {
	old := bson.D{{Key: "state", Value: state}, {Key: "at", Value: bson.D{{Key: "$lt", Value: before}}}}
	res, err := c.UpdateMany(ctx,
		bson.D{{Key: marks, Value: bson.D{{Key: "$elemMatch", Value: old}}}},
		bson.D{{Key: "$pull", Value: bson.D{{Key: marks, Value: old}}}})
	if err != nil {
		return 0, fmt.Errorf("prune the marks that are %s: %w", state, err)
	}
	return res.ModifiedCount, nil
}

// marks is the array of the marks.
const marks = "saga_marks"

// element is a mark in the array.
type element struct {
	Key     string            `bson:"key"`
	State   participant.State `bson:"state"`
	Request string            `bson:"request"`
	Result  string            `bson:"result"`
	At      time.Time         `bson:"at"`
}

func elementOf(m participant.Mark) element {
	return element{m.Key, m.State, m.Request, m.Result, m.At}
}

func (e element) mark() participant.Mark {
	return participant.Mark{Key: e.Key, State: e.State, Request: e.Request, Result: e.Result, At: e.At}
}

// claim applies the change and adds the mark, unless there is a mark under its key. It returns the mark that is stored now,
// and whether it is m.
func (d Document) claim(ctx context.Context, m participant.Mark, c Change) (participant.Mark, bool, error) {
	if d.Create && len(c.If) > 0 {
		return m, false, errors.New("a change cannot have a condition when it creates its document")
	}
	unmarked := bson.E{Key: marks, Value: bson.D{{Key: "$not", Value: elemMatch(m.Key)}}}
	update, err := with(c.Update, "$push", bson.E{Key: marks, Value: elementOf(m)})
	if err != nil {
		return m, false, err
	}
	res, err := d.Collection.UpdateOne(ctx, d.filter(unmarked, c.If), update, options.UpdateOne().SetUpsert(d.Create))
	if err == nil && res.MatchedCount+res.UpsertedCount > 0 {
		return m, true, nil
	}
	// A marked document does not match, so the server tried to create it: that is a duplicate key.
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return m, false, fmt.Errorf("change the document %v for %s: %w", d.ID, m.Key, err)
	}
	stored, readErr := d.read(ctx, m.Key)
	switch {
	case readErr != nil:
		return m, false, readErr
	case stored.State != "":
		return stored, false, nil
	case err != nil: // of another unique index
		return m, false, fmt.Errorf("change the document %v for %s: %w", d.ID, m.Key, err)
	}
	return m, false, fmt.Errorf("change the document %v for %s: %w", d.ID, m.Key, ErrNoMatch)
}

// advance applies the change and moves the mark under m's key from a state to m's. It returns the mark that is stored now;
// its state is empty if there is none.
func (d Document) advance(ctx context.Context, from participant.State, m participant.Mark, c Change) (participant.Mark, error) {
	update, err := with(c.Update, "$set",
		bson.E{Key: marks + ".$.state", Value: m.State}, bson.E{Key: marks + ".$.at", Value: m.At})
	if err != nil {
		return m, err
	}
	marked := bson.E{Key: marks, Value: elemMatch(m.Key, bson.E{Key: "state", Value: from})}
	res, err := d.Collection.UpdateOne(ctx, d.filter(marked, c.If), update)
	switch {
	case err != nil:
		return m, fmt.Errorf("change the document %v for %s: %w", d.ID, m.Key, err)
	case res.MatchedCount > 0:
		return m, nil
	}
	return d.read(ctx, m.Key)
}

// read returns the mark under the key. Its state is empty if there is no mark, or no document.
func (d Document) read(ctx context.Context, key string) (participant.Mark, error) {
	var doc struct {
		Marks []element `bson:"saga_marks"`
	}
	err := d.Collection.FindOne(ctx, bson.D{{Key: "_id", Value: d.ID}},
		options.FindOne().SetProjection(bson.D{{Key: marks, Value: elemMatch(key)}})).Decode(&doc)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return participant.Mark{}, nil
	case err != nil:
		return participant.Mark{}, fmt.Errorf("read the mark of %s: %w", key, err)
	case len(doc.Marks) == 0:
		return participant.Mark{}, nil
	}
	return doc.Marks[0].mark(), nil
}

// filter finds the document if the state of its marks and the condition hold.
func (d Document) filter(state bson.E, condition bson.D) bson.D {
	filter := bson.D{{Key: "_id", Value: d.ID}, state}
	if len(condition) > 0 {
		filter = append(filter, bson.E{Key: "$and", Value: bson.A{condition}})
	}
	return filter
}

// elemMatch finds the mark under the key.
func elemMatch(key string, more ...bson.E) bson.D {
	found := append(bson.D{{Key: "key", Value: key}}, more...)
	return bson.D{{Key: "$elemMatch", Value: found}}
}

// with returns the update with more fields under an operator, which the update may use too.
func with(update bson.D, operator string, fields ...bson.E) (bson.D, error) {
	merged := bson.D{}
	for _, op := range update {
		if op.Key != operator {
			merged = append(merged, op)
			continue
		}
		switch theirs := op.Value.(type) {
		case bson.D:
			fields = append(fields, theirs...)
		case bson.M:
			for name, value := range theirs {
				fields = append(fields, bson.E{Key: name, Value: value})
			}
		default:
			return nil, fmt.Errorf("the value of %s in an update is a %T, want bson.D or bson.M", operator, op.Value)
		}
	}
	return append(merged, bson.E{Key: operator, Value: bson.D(fields)}), nil
}
