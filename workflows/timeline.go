package workflows

import (
	"context"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// transition runs an activity that changes the order's row. The activity stores, in the same transaction, the entries that
// the saga's timeline has gained since the last transition.
func transition[I, O any](
	ctx workflow.Context, s *orderSaga, activity func(context.Context, I) (O, error), input func([]order.Entry) I,
	possible func(O) error,
) (O, error) {
	timeline, cancel := saga.Timeline(ctx), s.cancel.entry()
	out, err := saga.Execute(ctx, activity, input(append(cancel, entries(timeline[s.stored:])...)), possible)
	if err == nil {
		s.stored, s.cancel.stored = len(timeline), s.cancel.stored || cancel != nil
	}
	return out, err
}

// progress is a transition whose activity returns only what it changed of the row.
func progress[I any](
	ctx workflow.Context, s *orderSaga, activity func(context.Context, I) (activities.Progress, error), input func([]order.Entry) I,
	possible func(activities.Progress) error,
) error {
	changed, err := transition(ctx, s, activity, input, possible)
	if err == nil {
		changed.Apply(&s.row)
	}
	return err
}

func (s *orderSaga) appendTimeline(ctx workflow.Context) error {
	return appendTimeline(ctx, s.req.ID, s.stored)
}

// appendTimeline stores the entries of the saga's timeline from the index stored on, if something broke or an operator acted.
// Steps that just worked are not worth a round trip.
func appendTimeline(ctx workflow.Context, id order.ID, stored int) error {
	left := saga.Timeline(ctx)[stored:]
	notable := func(e saga.Entry) bool { return e.Kind != saga.EntryDone && e.Kind != saga.EntryUndone }
	if !slices.ContainsFunc(left, notable) {
		return nil
	}
	return do(ctx, id, steps.AppendTimeline, activities.AppendTimelineInput{
		OrderID: id, RunID: workflow.GetInfo(ctx).WorkflowExecution.RunID, Entries: entries(left),
	})
}

// entries turns a part of the saga's timeline into entries of the order's.
func entries(timeline []saga.Entry) []order.Entry {
	out := make([]order.Entry, 0, len(timeline))
	for _, e := range timeline {
		out = append(out, order.Entry{Type: entryTypes[e.Kind], At: e.At, Step: e.Step, Detail: e.Detail})
	}
	return out
}

var entryTypes = map[saga.EntryKind]order.EntryType{
	saga.EntryDone:           order.EntryStepDone,
	saga.EntryUndone:         order.EntryUndone,
	saga.EntryRefused:        order.EntryStepRefused,
	saga.EntryNotDone:        order.EntryStepNotDone,
	saga.EntryOmitted:        order.EntryStepNotDone,
	saga.EntryFellBack:       order.EntryStepFellBack,
	saga.EntryNeedsAttention: order.EntryNeedsAttention,
	saga.EntryHealed:         order.EntryHealed,
	saga.EntryGivenUp:        order.EntryGivenUp,
	saga.EntrySkipped:        order.EntrySkipped,
	saga.EntryCommand:        order.EntryCommand,
}
