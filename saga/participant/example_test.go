package participant_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver sqlite

	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/sqlparticipant"
)

// hotel is a participant that lets one room.
type hotel struct{ store *sqlparticipant.Store }

var errFull = errors.New("no free room")

func (h hotel) book(ctx context.Context, key, guest string) (number string, err error) {
	return participant.Do(ctx, h.store, key, guest, func(tx *sql.Tx) (string, error) {
		booked, err := tx.ExecContext(ctx, `UPDATE rooms SET guest = $1 WHERE guest IS NULL`, guest)
		if err != nil {
			return "", err
		}
		if n, err := booked.RowsAffected(); err != nil || n == 0 {
			return "", errors.Join(err, errFull)
		}
		return "booking of " + guest, nil
	})
}

func (h hotel) cancel(ctx context.Context, key string) error {
	return participant.Undo(ctx, h.store, key, func(tx *sql.Tx, number string) error {
		fmt.Println("cancel the", number)
		_, err := tx.ExecContext(ctx, `UPDATE rooms SET guest = NULL`)
		return err
	})
}

// open returns a hotel with a database of its own, and a function that removes it.
func open() (hotel, func()) {
	dir, err := os.MkdirTemp("", "hotel")
	if err != nil {
		panic(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "hotel.db"))
	if err != nil {
		panic(err)
	}
	_, err = db.Exec(sqlparticipant.Schema + `CREATE TABLE rooms (guest text); INSERT INTO rooms VALUES (NULL)`)
	if err != nil {
		panic(err)
	}
	return hotel{sqlparticipant.New(db)}, func() {
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}

// A repeated step gets the first result. Once it is undone, it is refused, and its room is free for another saga.
func ExampleDo() {
	ctx := context.Background()
	h, closeHotel := open()
	defer closeHotel()

	fmt.Println(h.book(ctx, "trip-1/BookRoom", "Ann"))
	fmt.Println(h.book(ctx, "trip-1/BookRoom", "Ann"))
	fmt.Println(h.book(ctx, "trip-2/BookRoom", "Bob"))
	fmt.Println(h.cancel(ctx, "trip-1/BookRoom"))
	fmt.Println(h.cancel(ctx, "trip-1/BookRoom"))
	_, err := h.book(ctx, "trip-1/BookRoom", "Ann")
	fmt.Println(errors.Is(err, participant.ErrUndone))
	fmt.Println(h.book(ctx, "trip-2/BookRoom", "Bob"))
	// Output:
	// booking of Ann <nil>
	// booking of Ann <nil>
	//  no free room
	// cancel the booking of Ann
	// <nil>
	// <nil>
	// true
	// booking of Bob <nil>
}

// An undo that comes before its step succeeds, and the step is refused when it arrives.
func ExampleUndo() {
	ctx := context.Background()
	h, closeHotel := open()
	defer closeHotel()

	fmt.Println(h.cancel(ctx, "trip-1/BookRoom"))
	_, err := h.book(ctx, "trip-1/BookRoom", "Ann")
	fmt.Println(err)
	// Output:
	// <nil>
	// step trip-1/BookRoom: the step came after its undo
}

// The pivot and the fence make one decision, and each learns which.
func ExamplePivot() {
	ctx := context.Background()
	h, closeHotel := open()
	defer closeHotel()

	fmt.Println(participant.Pivot(ctx, h.store, "trip-1", nil))
	fmt.Println(participant.Fence(ctx, h.store, "trip-1", nil))
	fmt.Println(participant.Fence(ctx, h.store, "trip-2", nil))
	fmt.Println(participant.Pivot(ctx, h.store, "trip-2", nil))
	fmt.Println(participant.Finish(ctx, h.store, "trip-2", nil))
	// Output:
	// forward <nil>
	// forward <nil>
	// backward <nil>
	// backward <nil>
	// ended <nil>
}
