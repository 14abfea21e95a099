package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/pgxparticipant"
)

// hotels is the participant in the comment of package participant.
type hotels struct{ store *pgxparticipant.Store }

// NewHotels returns the activities.
func NewHotels(pool *pgxpool.Pool) *hotels { return &hotels{pgxparticipant.New(pool)} }

type (
	bookRoom struct{ Key, Hotel string }
	booking  struct{ Hotel, Number string }
)

func (h *hotels) Book(ctx context.Context, in bookRoom) (booking, error) {
	b, err := participant.Do(ctx, h.store, in.Key, in, func(tx pgx.Tx) (booking, error) {
		tag, err := tx.Exec(ctx, `UPDATE rooms SET free = free - 1 WHERE hotel = $1 AND free > 0`, in.Hotel)
		if err == nil && tag.RowsAffected() == 0 {
			err = saga.Refuse("FULL", "no free room", nil)
		}
		return booking{in.Hotel, "1"}, err
	})
	if errors.Is(err, participant.ErrUndone) {
		err = saga.Refuse("UNDONE", err.Error(), nil)
	}
	return b, err
}

func (h *hotels) Cancel(ctx context.Context, in saga.Undoing[bookRoom, booking]) error {
	return participant.Undo(ctx, h.store, in.Key, func(tx pgx.Tx, b booking) error {
		_, err := tx.Exec(ctx, `UPDATE rooms SET free = free + 1 WHERE hotel = $1`, b.Hotel)
		return err
	})
}

// Fence is an activity: participant.Verdict converts to saga.Verdict.
func (h *hotels) Fence(ctx context.Context, trip string) (saga.Verdict, error) {
	v, err := participant.Fence(ctx, h.store, trip, nil)
	return saga.Verdict(v), err
}

// Stay is a workflow that books a room.
func Stay(ctx workflow.Context, hotel string) (saga.Outcome, error) {
	var h *hotels
	input := func(ctx workflow.Context) bookRoom { return bookRoom{Key: saga.Key(ctx), Hotel: hotel} }
	plan := saga.Plan{Name: "stay", Steps: []saga.Step{saga.Pair("BookRoom", input, h.Book, h.Cancel)}}
	return plan.Run(ctx, saga.Options{})
}

// The program compiles only if the verdicts have the same values on both sides.
var (
	_ [participant.Backward]struct{} = [saga.Backward]struct{}{}
	_ [participant.Forward]struct{}  = [saga.Forward]struct{}{}
	_ [participant.Ended]struct{}    = [saga.Ended]struct{}{}
)
