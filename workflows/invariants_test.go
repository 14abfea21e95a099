package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

// story is what happened to one order. The invariants judge it.
type story struct {
	sagatest.Story
	row      order.Order
	timeline []order.Entry
	events   []order.Event
	hold     ordertest.HoldState
	till     ordertest.Till
	lamps    int
}

// forwardSteps are the activities up to and including the pivot, in order.
var forwardSteps = []string{"PriceItems", "CreateOrder", "ReserveStock", "ChargePayment", "CommitStock", "ConfirmOrder"}

var undos = []string{"RefundPayment", "ReleaseStock"}

func (s story) confirmed() bool { return s.row.Status == order.Confirmed }

// invariants are the promises about a finished order. Each returns what is wrong, or "". docs/conformance.md shows their names.
var invariants = []struct {
	name  string
	holds func(s story) string
}{
	{"the order ends", func(s story) string {
		if !s.row.Status.Final() {
			return fmt.Sprintf("its status is %q", s.row.Status)
		}
		return ""
	}},
	{"stock is conserved", func(s story) string {
		if s.lamps != lampIn {
			return fmt.Sprintf("%d lamps in stock, held and sold; there were %d", s.lamps, lampIn)
		}
		return ""
	}},
	{"stock is sold if and only if the order is CONFIRMED", func(s story) string {
		if s.confirmed() == (s.hold == ordertest.Sold) && s.hold != ordertest.Held {
			return ""
		}
		return fmt.Sprintf("%s, and the stock is %s", s.row.Status, s.hold)
	}},
	{"the gateway keeps the total of a CONFIRMED order, and otherwise nothing", func(s story) string {
		want := int64(0)
		if s.confirmed() {
			want = s.row.Total.Amount
		}
		if s.till.Kept != want {
			return fmt.Sprintf("%s, and the gateway keeps %d, want %d", s.row.Status, s.till.Kept, want)
		}
		return ""
	}},
	{"at most one payment takes money", func(s story) string {
		if s.till.Charges > 1 {
			return fmt.Sprintf("%d payments took money", s.till.Charges)
		}
		return ""
	}},
	{"every call about the payment has the same parameters", sameParameters},
	{"a late call is refused after its undo", func(s story) string {
		switch {
		case s.confirmed():
			return ""
		case s.hold != ordertest.Released && s.hold != ordertest.Short:
			return fmt.Sprintf("a late ReserveStock would succeed: the stock is %q", s.hold)
		case !s.row.Total.IsZero() && !s.till.Cancelled:
			return "a late ChargePayment would succeed"
		}
		return ""
	}},
	{"a CONFIRMED order is never undone", func(s story) string {
		if s.confirmed() && s.Happened(sagatest.AnyRun, sagatest.TookEffect, undos...) {
			return "an undo took effect on a CONFIRMED order"
		}
		return ""
	}},
	{"the fence comes before any undo", func(s story) string {
		for i, e := range s.Events {
			if e.Kind != sagatest.Scheduled || !slices.Contains(undos, e.Name) {
				continue
			}
			if !s.before(i).knows(e.Run, "CloseOrder") {
				return e.Name + " started before the workflow had the verdict of the fence"
			}
		}
		return ""
	}},
	{"all undos run, not only those that the run remembers", func(s story) string {
		if s.confirmed() || !s.row.Status.Final() {
			return ""
		}
		fence := s.First(sagatest.AnyRun, sagatest.TookEffect, "CloseOrder")
		for _, undo := range undos {
			if undo == "RefundPayment" && s.row.Total.IsZero() {
				continue // never priced, so never charged
			}
			if at := s.First(sagatest.AnyRun, sagatest.TookEffect, undo); at < fence {
				return undo + " never took effect after the fence"
			}
		}
		return ""
	}},
	{"undos run last step first", func(s story) string {
		for run := range s.Runs() {
			refund, release := s.First(run, sagatest.Scheduled, "RefundPayment"), s.First(run, sagatest.Scheduled, "ReleaseStock")
			if refund > release && release >= 0 {
				return "ReleaseStock started before RefundPayment"
			}
		}
		return ""
	}},
	{"no step starts after unwinding began", func(s story) string {
		for run := range s.Runs() {
			fence := s.First(run, sagatest.Scheduled, "CloseOrder")
			if fence >= 0 && s.after(fence).Happened(run, sagatest.Scheduled, forwardSteps...) {
				return "a step started after the fence"
			}
		}
		return ""
	}},
	{"the end is recorded after the last undo", func(s story) string {
		finish := s.First(sagatest.AnyRun, sagatest.TookEffect, "FinishOrder")
		for _, undo := range undos {
			if finish >= 0 && s.First(sagatest.AnyRun, sagatest.TookEffect, undo) > finish {
				return "FinishOrder took effect before " + undo
			}
		}
		return ""
	}},
	{"the first cause is kept", firstCause},
	{"an order is confirmed unless something prevents it", func(s story) string {
		if !s.confirmed() && !s.prevented() {
			return fmt.Sprintf("it is %s (%s), but it was neither refused nor cancelled, and in time", s.row.Status, s.row.Reason())
		}
		return ""
	}},
	{"the event says what the row says", func(s story) string {
		if len(s.events) == 0 {
			return "no event"
		}
		want := order.NewEvent(s.row)
		for _, e := range s.events {
			if e.Type != want.Type || e.Status != want.Status || e.Reason != want.Reason || e.Total != want.Total {
				return fmt.Sprintf("an event says %s %s %s, the row %s %s", e.Type, e.Status, e.Reason, want.Status, want.Reason)
			}
		}
		return ""
	}},
	{"clients learn what the row says", func(s story) string {
		for _, learned := range s.learned() {
			if learned != s.row.Reason() {
				return fmt.Sprintf("a client learned %q, the row says %q", learned, s.row.Reason())
			}
		}
		return ""
	}},
	{"the timeline has only legal transitions", legalTimeline},
}

// invariants are the promises about an order in w.
func (w *world) invariants(id order.ID) []sagatest.Invariant {
	var out []sagatest.Invariant
	for _, inv := range invariants {
		out = append(out, sagatest.Invariant{Name: inv.name, Holds: func(happened sagatest.Story) error {
			if wrong := inv.holds(w.story(happened, id)); wrong != "" {
				return errors.New(wrong)
			}
			return nil
		}})
	}
	return out
}

// story is what happened to an order in w. An order that does not exist has no status.
func (w *world) story(happened sagatest.Story, id order.ID) story {
	ctx := context.Background()
	s := story{Story: happened, hold: w.catalog.State(id), till: w.payments.Till(id), lamps: w.catalog.Units(lamp)}
	s.row, _ = w.orders.Order(ctx, id)
	s.timeline, _ = w.orders.Timeline(ctx, id)
	for _, e := range w.events {
		if e.OrderID == id {
			s.events = append(s.events, e)
		}
	}
	return s
}

// before is the story before the event with the index i, and after the one after it.
func (s story) before(i int) story {
	s.Events = s.Events[:i]
	return s
}

func (s story) after(i int) story {
	s.Events = s.Events[i+1:]
	return s
}

// knows reports whether the run has received a result of the activity other than an error.
func (s story) knows(run int, activity string) bool {
	return slices.ContainsFunc(s.Events, func(e sagatest.Event) bool {
		return e.Run == run && e.Kind == sagatest.Received && e.Name == activity && e.Err == nil
	})
}

// learned are the reasons for the order's end that clients learn: the API responds as soon as the row tells how the order
// ends, whatever the workflow does next.
func (s story) learned() []order.Reason {
	var out []order.Reason
	for _, e := range s.Events {
		switch result := e.Result.(type) {
		case activities.Progress:
			if o := (order.Order{}); e.Name == "ConfirmOrder" {
				if result.Apply(&o); o.Decided() {
					out = append(out, o.Reason())
				}
			}
		case order.Order:
			if e.Name == "CloseOrder" && result.Decided() {
				out = append(out, result.Reason())
			}
		}
	}
	var result activities.Progress
	if s.Result != nil && s.Result(&result) == nil {
		o := order.Order{}
		result.Apply(&o)
		out = append(out, o.Reason())
	}
	return out
}

func sameParameters(s story) string {
	var first *order.Payment
	for _, e := range s.Events {
		if e.Kind != sagatest.Called || e.Name != "ChargePayment" && e.Name != "RefundPayment" {
			continue
		}
		p := e.Args[0].(order.Payment)
		if first == nil {
			first = &p
		}
		if p.Amount != first.Amount || p.Method != first.Method || !p.OrderedAt.Equal(first.OrderedAt) {
			return fmt.Sprintf("called with %+v, then with %+v", *first, p)
		}
	}
	return ""
}

// firstCause checks that every cause the fence received is right, and that the row keeps the first.
func firstCause(s story) string {
	kept := false
	for i, e := range s.Events {
		if e.Kind != sagatest.TookEffect || e.Name != "CloseOrder" {
			continue
		}
		cause := e.Args[0].(activities.CloseOrderInput).Cause.Reason
		if wrong := s.explain(i, e, cause); wrong != "" {
			return wrong
		}
		if !kept && !s.confirmed() && s.row.Reason() != cause {
			return fmt.Sprintf("the fence first received %s, the row says %s", cause, s.row.Reason())
		}
		kept = true
	}
	return ""
}

// explain says what is wrong with the cause that the fence received in event i, given what happened before.
func (s story) explain(i int, e sagatest.Event, got order.Reason) string {
	before := s.before(i)
	refusal := before.refusal(e.Run)
	cancel := before.cancelled(e.Run)
	if refusal != "" && !cancel && !before.givenUp(e.Run) {
		if got != refusal {
			return fmt.Sprintf("the saga was refused with %s, the fence received %s", refusal, got)
		}
		return ""
	}
	because := map[order.Reason]bool{
		order.CancelledByUser:     cancel,
		order.CancelledByOperator: cancel || before.givenUp(e.Run),
		order.TimedOut:            e.At.Sub(s.Events[0].At) >= workflows.PivotTimeout,
		order.Interrupted: before.Runs() > 1 || before.failed(e.Run) ||
			before.Happened(sagatest.AnyRun, sagatest.TookEffect, "CloseOrder"),
		refusal: true,
	}
	if !because[got] {
		return fmt.Sprintf("the fence received %s without a reason", got)
	}
	return ""
}

// refusal is the reason of the first refusal that the run received from a step, or "".
func (s story) refusal(run int) order.Reason {
	for _, e := range s.received(run) {
		var cause order.Cause
		if _, ok := saga.Refusal(e.Err, &cause); ok {
			return cause.Reason
		}
	}
	return ""
}

// failed reports whether the run received an error from a step that is final and no refusal.
func (s story) failed(run int) bool {
	return slices.ContainsFunc(s.received(run), func(e sagatest.Event) bool {
		var app *temporal.ApplicationError
		return errors.As(e.Err, &app) && app.NonRetryable() && !saga.IsRefused(e.Err)
	})
}

// received are the results of steps that the run received.
func (s story) received(run int) []sagatest.Event {
	var out []sagatest.Event
	for _, e := range s.Events {
		if (run == sagatest.AnyRun || e.Run == run) && e.Kind == sagatest.Received && slices.Contains(forwardSteps, e.Name) {
			out = append(out, e)
		}
	}
	return out
}

// cancelled reports whether the workflow was asked to cancel, by Temporal or by the update.
func (s story) cancelled(run int) bool {
	return s.Happened(run, sagatest.Cancelled) || s.Happened(run, sagatest.Updated, workflows.UpdateCancel)
}

func (s story) givenUp(run int) bool {
	return s.Happened(run, sagatest.Signalled, saga.SignalCompensate)
}

// prevented reports whether anything prevents the order from being confirmed.
func (s story) prevented() bool {
	const run = sagatest.AnyRun
	late := func(e sagatest.Event) bool {
		return e.Kind == sagatest.Called && e.Name == "CloseOrder" &&
			e.Args[0].(activities.CloseOrderInput).Cause.Reason == order.TimedOut
	}
	return s.refusal(run) != "" || s.failed(run) || s.cancelled(run) || s.givenUp(run) || s.Happened(run, sagatest.Recovered) ||
		slices.ContainsFunc(s.Events, late)
}

// legalTimeline checks the order's transitions: each once, and only in a sequence that is allowed.
func legalTimeline(s story) string {
	var got []order.EntryType
	for _, r := range s.timeline {
		switch r.Type {
		case order.EntryCreated, order.EntryPriced, order.EntryClosing, order.EntryConfirmed, order.EntryFailed, order.EntryCancelled:
			got = append(got, r.Type)
		}
	}
	begins := [][]order.EntryType{{order.EntryCreated}, {order.EntryCreated, order.EntryPriced}}
	var legal [][]order.EntryType
	for _, begin := range begins {
		legal = append(legal, append(slices.Clone(begin), order.EntryConfirmed))
	}
	for _, begin := range append(begins, nil) { // without a row, the fence inserts one
		for _, end := range []order.EntryType{order.EntryFailed, order.EntryCancelled} {
			legal = append(legal, append(slices.Clone(begin), order.EntryClosing, end))
		}
	}
	for _, l := range legal {
		if slices.Equal(got, l) {
			return ""
		}
	}
	return fmt.Sprint(got)
}
