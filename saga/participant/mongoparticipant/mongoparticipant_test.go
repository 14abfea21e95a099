package mongoparticipant_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/internal/dbtest"
	"github.com/ordersaga/ordersaga/saga/participant/mongoparticipant"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
)

// open returns a database that is dropped when the test ends.
func open(t *testing.T) *mongo.Database {
	t.Helper()
	uri, name := dbtest.MongoDB(t)
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	db := client.Database(name)
	t.Cleanup(func() {
		if err := errors.Join(db.Drop(context.Background()), client.Disconnect(context.Background())); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return db
}

func add(field string, amount int) bson.D {
	return bson.D{{Key: "$inc", Value: bson.D{{Key: field, Value: amount}}}}
}

// shared is a participant whose sagas all change one of the same few documents.
func shared(t *testing.T, c *mongo.Collection) (func(saga string) mongoparticipant.Document, func(saga string) string) {
	t.Helper()
	for _, id := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" {
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: string(id)}}); err != nil {
			t.Fatal(err)
		}
	}
	return func(saga string) mongoparticipant.Document {
			return mongoparticipant.Document{Collection: c, ID: saga[len(saga)-1:]}
		}, func(saga string) string {
			return "rooms." + saga
		}
}

// own is a participant with a document for each saga, that its step creates.
func own(_ *testing.T, c *mongo.Collection) (func(saga string) mongoparticipant.Document, func(saga string) string) {
	return func(saga string) mongoparticipant.Document {
			return mongoparticipant.Document{Collection: c, ID: saga, Create: true}
		}, func(string) string {
			return "rooms"
		}
}

func TestMongoDBKeepsTheContract(t *testing.T) {
	t.Parallel()
	db := open(t)
	for name, make := range map[string]func(*testing.T, *mongo.Collection) (
		func(string) mongoparticipant.Document, func(string) string,
	){"shared": shared, "own": own} {
		c := db.Collection(name)
		document, field := make(t, c)
		key := func(saga string) string { return saga + "/BookRoom" }
		t.Run("a step and its undo, documents "+name, func(t *testing.T) {
			t.Parallel()
			participanttest.Step(t, participanttest.Participant{
				Do: func(ctx context.Context, saga string) (string, error) {
					change := mongoparticipant.Change{Update: add(field(saga), 1)}
					return mongoparticipant.Do(ctx, document(saga), key(saga), "in", change, rand.Text())
				},
				Undo: func(ctx context.Context, saga string) error {
					return mongoparticipant.Undo(ctx, document(saga), key(saga), func(string) mongoparticipant.Change {
						return mongoparticipant.Change{Update: add(field(saga), -1)}
					})
				},
				Effects: func(ctx context.Context, saga string) (int, error) { return read(ctx, document(saga), field(saga)) },
				Refused: func(err error) bool { return errors.Is(err, participant.ErrUndone) },
			})
		})
		t.Run("a pivot and a fence, documents "+name, func(t *testing.T) {
			t.Parallel()
			decide := func(
				f func(context.Context, mongoparticipant.Document, string, mongoparticipant.Change) (participant.Verdict, error),
			) func(context.Context, string) (participant.Verdict, error) {
				return func(ctx context.Context, saga string) (participant.Verdict, error) {
					return f(ctx, document(saga), saga, mongoparticipant.Change{Update: add("decisions", 1)})
				}
			}
			participanttest.PivotAndFence(t, participanttest.Decision{
				Pivot:  decide(mongoparticipant.Pivot),
				Fence:  decide(mongoparticipant.Fence),
				Finish: decide(mongoparticipant.Finish),
			})
		})
	}
}

// read returns the number in a document's field; 0 if there is none.
func read(ctx context.Context, d mongoparticipant.Document, field string) (int, error) {
	project := bson.D{{Key: "n", Value: "$" + field}}
	cursor, err := d.Collection.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: d.ID}}}}, {{Key: "$project", Value: project}},
	})
	if err != nil {
		return 0, err
	}
	var docs []struct {
		N int `bson:"n"`
	}
	if err := cursor.All(ctx, &docs); err != nil || len(docs) == 0 {
		return 0, err
	}
	return docs[0].N, nil
}

// hotel returns a document with free rooms.
func hotel(t *testing.T, c *mongo.Collection, free int) mongoparticipant.Document {
	t.Helper()
	id := rand.Text()
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "free", Value: free}}); err != nil {
		t.Fatal(err)
	}
	return mongoparticipant.Document{Collection: c, ID: id}
}

// take takes a room if one is free, and logs who took it, in the operator that marks use too.
func take(guest string) mongoparticipant.Change {
	return mongoparticipant.Change{
		If: bson.D{{Key: "free", Value: bson.D{{Key: "$gt", Value: 0}}}},
		Update: bson.D{
			{Key: "$inc", Value: bson.D{{Key: "free", Value: -1}}},
			{Key: "$push", Value: bson.M{"guests": guest}},
		},
	}
}

func giveBack(guest string) mongoparticipant.Change {
	return mongoparticipant.Change{Update: bson.D{
		{Key: "$inc", Value: bson.D{{Key: "free", Value: 1}}},
		{Key: "$pull", Value: bson.M{"guests": guest}},
		{Key: "$set", Value: bson.M{"last": guest}},
	}}
}

func TestTheLastRoomIsBookedOnceAndGivenBack(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), hotel(t, open(t).Collection("hotels"), 1)
	ann, bob := "ann/BookRoom", "bob/BookRoom"
	for range 2 {
		got, err := mongoparticipant.Do(ctx, d, ann, "in", take("ann"), "number 1")
		if err != nil || got != "number 1" {
			t.Fatalf("ann: %q, %v, want number 1", got, err)
		}
	}
	if _, err := mongoparticipant.Do(ctx, d, bob, "in", take("bob"), "number 2"); !errors.Is(err, mongoparticipant.ErrNoMatch) {
		t.Errorf("bob: %v, want ErrNoMatch", err)
	}
	if _, err := mongoparticipant.Do(ctx, d, ann, "another", take("ann"), ""); !errors.Is(err, participant.ErrKeyReused) {
		t.Errorf("ann's key with another input: %v, want ErrKeyReused", err)
	}
	for range 2 {
		err := mongoparticipant.Undo(ctx, d, ann, func(number string) mongoparticipant.Change {
			if number != "number 1" {
				t.Errorf("the undo gets %q, want number 1", number)
			}
			return giveBack("ann")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := mongoparticipant.Do(ctx, d, bob, "in", take("bob"), "number 3"); err != nil || got != "number 3" {
		t.Errorf("bob: %q, %v, want number 3", got, err)
	}
	var doc struct {
		Free   int
		Guests []string
		Last   string
	}
	if err := d.Collection.FindOne(ctx, bson.D{{Key: "_id", Value: d.ID}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.Free != 0 || len(doc.Guests) != 1 || doc.Guests[0] != "bob" || doc.Last != "ann" {
		t.Errorf("the hotel is %+v, want bob as its only guest", doc)
	}
}

func TestAnUndoWhoseConditionDoesNotHoldIsAnError(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), hotel(t, open(t).Collection("hotels"), 1)
	key := "ann/BookRoom"
	if _, err := mongoparticipant.Do(ctx, d, key, "in", take("ann"), ""); err != nil {
		t.Fatal(err)
	}
	never := func(string) mongoparticipant.Change {
		return mongoparticipant.Change{If: bson.D{{Key: "free", Value: 7}}}
	}
	if err := mongoparticipant.Undo(ctx, d, key, never); !errors.Is(err, mongoparticipant.ErrNoMatch) {
		t.Errorf("undo: %v, want ErrNoMatch", err)
	}
	if _, err := mongoparticipant.Fence(ctx, d, "ann", mongoparticipant.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, err := mongoparticipant.Finish(ctx, d, "ann", never("")); !errors.Is(err, mongoparticipant.ErrNoMatch) {
		t.Errorf("finish: %v, want ErrNoMatch", err)
	}
}

func TestAMissingDocument(t *testing.T) {
	t.Parallel()
	ctx, key := t.Context(), "ann/BookRoom"
	d := mongoparticipant.Document{Collection: open(t).Collection("hotels"), ID: "none"}
	if _, err := mongoparticipant.Do(ctx, d, key, "in", take("ann"), ""); !errors.Is(err, mongoparticipant.ErrNoMatch) {
		t.Errorf("a step: %v, want ErrNoMatch", err)
	}
	if err := mongoparticipant.Undo(ctx, d, key, func(string) mongoparticipant.Change { return giveBack("ann") }); err != nil {
		t.Errorf("an undo: %v, want none", err)
	}
	if n, err := d.Collection.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
		t.Errorf("there are %d documents, %v, want none", n, err)
	}
}

func TestADuplicateKeyOfAnotherIndexIsAnError(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), open(t).Collection("seats")
	index := mongo.IndexModel{Keys: bson.D{{Key: "seat", Value: 1}}, Options: options.Index().SetUnique(true)}
	if _, err := c.Indexes().CreateOne(ctx, index); err != nil {
		t.Fatal(err)
	}
	seat := mongoparticipant.Change{Update: bson.D{{Key: "$set", Value: bson.D{{Key: "seat", Value: "1A"}}}}}
	book := func(saga string) error {
		d := mongoparticipant.Document{Collection: c, ID: saga, Create: true}
		_, err := mongoparticipant.Do(ctx, d, saga+"/BookSeat", "in", seat, "")
		return err
	}
	if err := errors.Join(book("ann"), book("ann")); err != nil {
		t.Errorf("ann: %v", err)
	}
	if err := book("bob"); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("bob: %v, want the duplicate key", err)
	}
}

func TestOnlyOldMarksOfTheStateArePruned(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), hotel(t, open(t).Collection("hotels"), 9)
	key := func(saga string) string { return saga + "/BookRoom" }
	for _, saga := range []string{"ann", "bob"} {
		if _, err := mongoparticipant.Do(ctx, d, key(saga), "in", take(saga), ""); err != nil {
			t.Fatal(err)
		}
	}
	undo := func(string) mongoparticipant.Change { return giveBack("bob") }
	if err := mongoparticipant.Undo(ctx, d, key("bob"), undo); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		before time.Time
		want   int64
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
		if n, err := mongoparticipant.Prune(ctx, d.Collection, participant.Undone, tc.before); err != nil || n != tc.want {
			t.Errorf("pruned %d documents, %v, want %d", n, err, tc.want)
		}
	}
	if _, err := mongoparticipant.Do(ctx, d, key("ann"), "in", take("ann"), ""); err != nil {
		t.Error(err)
	}
	if free, err := read(ctx, d, "free"); err != nil || free != 8 {
		t.Errorf("%d rooms are free, %v, want 8: ann's mark must stay", free, err)
	}
}

func TestMistakesInACallAreErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	nowhere := options.Client().ApplyURI("mongodb://127.0.0.1:1").SetServerSelectionTimeout(100 * time.Millisecond)
	client, err := mongo.Connect(nowhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	key := "ann/BookRoom"
	d := mongoparticipant.Document{Collection: client.Database("none").Collection("none"), ID: 1}
	created, odd := d, mongoparticipant.Change{Update: bson.D{{Key: "$push", Value: "x"}, {Key: "$set", Value: "x"}}}
	created.Create = true
	undo := func(c mongoparticipant.Change) func(string) mongoparticipant.Change {
		return func(string) mongoparticipant.Change { return c }
	}
	_, noKey := mongoparticipant.Do(ctx, d, "", "in", take("ann"), "")
	_, noInput := mongoparticipant.Do(ctx, d, key, make(chan int), take("ann"), "")
	_, noResult := mongoparticipant.Do(ctx, d, key, "in", take("ann"), make(chan int))
	_, both := mongoparticipant.Do(ctx, created, key, "in", take("ann"), "")
	_, noUpdate := mongoparticipant.Do(ctx, d, key, "in", odd, "")
	_, noSaga := mongoparticipant.Pivot(ctx, d, "", take("ann"))
	_, noSagaToFinish := mongoparticipant.Finish(ctx, d, "", take("ann"))
	_, noUpdateToFinish := mongoparticipant.Finish(ctx, d, "ann", odd)
	_, unreachable := mongoparticipant.Do(ctx, d, key, "in", take("ann"), "")
	_, unreachableToFinish := mongoparticipant.Finish(ctx, d, "ann", take("ann"))
	_, unreachableToPrune := mongoparticipant.Prune(ctx, d.Collection, participant.Undone, time.Now())
	for name, err := range map[string]error{
		"an empty key": noKey, "an input without JSON": noInput, "a result without JSON": noResult,
		"a condition for a new document": both, "an update that cannot be merged": noUpdate, "a pivot without a saga": noSaga,
		"finish without a saga": noSagaToFinish, "finish with an update that cannot be merged": noUpdateToFinish,
		"an undo without a key":    mongoparticipant.Undo(ctx, d, "", undo(giveBack("ann"))),
		"a step without a server":  unreachable,
		"an undo without a server": mongoparticipant.Undo(ctx, d, key, undo(giveBack("ann"))),
		"finish without a server":  unreachableToFinish,
		"prune without a server":   unreachableToPrune,
	} {
		if err == nil || errors.Is(err, mongoparticipant.ErrNoMatch) {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}
