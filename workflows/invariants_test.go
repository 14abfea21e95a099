package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/workflows"
)

// entry is a line of a world's log.
type entry struct {
	run  int
	kind entryKind
	op   string

	cause   order.Cause   // of a refusal, or as the fence received it
	payment order.Payment // as the gateway received it
	at      time.Time     // when the fence was called
}

type entryKind string

const (
	began      entryKind = "began"       // the workflow, at at
	scheduled  entryKind = "scheduled"   // by the workflow, as an activity of either kind
	asked      entryKind = "asked"       // with which parameters
	tookEffect entryKind = "took effect" // or had taken it before
	refused    entryKind = "refused"     // and the saga received the refusal
	cancelled  entryKind = "cancelled"   // the workflow was asked to cancel
	told       entryKind = "told"        // a client learned the outcome, which is in cause
	rerun      entryKind = "run again"   // the run's tasks are lost, and the workflow runs again
	recovered  entryKind = "recovered"   // the same, by RecoverOrder
	given      entryKind = "given up"    // an operator sent the signal compensate
)

// matches selects entries of a kind and an operation, of a run or of all (-1).
func (e entry) matches(run int, kind entryKind, ops ...string) bool {
	return e.kind == kind && (run < 0 || e.run == run) && (len(ops) == 0 || slices.Contains(ops, e.op))
}

// story is what happened to one order. The invariants judge it.
type story struct {
	row      order.Order
	timeline []order.Entry
	log      []entry
	events   []order.Event
	hold     ordertest.HoldState
	till     ordertest.Till
	lamps    int
}

func (s story) first(run int, kind entryKind, ops ...string) int {
	return slices.IndexFunc(s.log, func(e entry) bool { return e.matches(run, kind, ops...) })
}

func (s story) happened(run int, kind entryKind, ops ...string) bool {
	return s.first(run, kind, ops...) >= 0
}

func (s story) runs() int {
	last := 0
	for _, e := range s.log {
		last = max(last, e.run)
	}
	return last + 1
}

var undos = []string{"RefundPayment", "ReleaseStock"}

// invariant is a promise about a finished order. holds returns what is wrong, or "".
type invariant struct {
	name  string
	holds func(s story) string
}

func (s story) confirmed() bool { return s.row.Status == order.Confirmed }

// invariants are all promises. docs/conformance.md shows their names.
var invariants = []invariant{
	{"the order ends", func(s story) string {
		if !s.row.Status.Final() {
			return "it is " + string(s.row.Status)
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
		if s.confirmed() && s.happened(-1, tookEffect, undos...) {
			return "an undo took effect on a CONFIRMED order"
		}
		return ""
	}},
	{"the fence comes before any undo", func(s story) string {
		for i, e := range s.log {
			if e.kind != scheduled || !slices.Contains(undos, e.op) {
				continue
			}
			if fence := s.first(e.run, tookEffect, "CloseOrder"); fence < 0 || fence > i {
				return e.op + " started before the fence"
			}
		}
		return ""
	}},
	{"all undos run, not only those that the run remembers", func(s story) string {
		if s.confirmed() || !s.row.Status.Final() {
			return ""
		}
		fence := s.first(-1, tookEffect, "CloseOrder")
		for _, undo := range undos {
			if undo == "RefundPayment" && s.row.Total.IsZero() {
				continue // never priced, so never charged
			}
			if at := s.first(-1, tookEffect, undo); at < fence {
				return undo + " never took effect after the fence"
			}
		}
		return ""
	}},
	{"undos run last step first", func(s story) string {
		for run := range s.runs() {
			refund, release := s.first(run, scheduled, "RefundPayment"), s.first(run, scheduled, "ReleaseStock")
			if refund > release && release >= 0 {
				return "ReleaseStock started before RefundPayment"
			}
		}
		return ""
	}},
	{"no step starts after unwinding began", func(s story) string {
		for run := range s.runs() {
			fence := s.first(run, scheduled, "CloseOrder")
			for i, e := range s.log {
				if fence >= 0 && i > fence && e.matches(run, scheduled, forwardSteps...) {
					return e.op + " started after the fence"
				}
			}
		}
		return ""
	}},
	{"the end is recorded after the last undo", func(s story) string {
		finish := s.first(-1, tookEffect, "FinishOrder")
		for _, undo := range undos {
			if finish >= 0 && s.first(-1, tookEffect, undo) > finish {
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
		for _, e := range s.log {
			if e.kind == told && e.cause.Reason != s.row.Reason() {
				return fmt.Sprintf("a client learned %q, the row says %q", e.cause.Reason, s.row.Reason())
			}
		}
		return ""
	}},
	{"the timeline has only legal transitions", legalTimeline},
}

// violations returns the broken invariants, each with its name and what is wrong.
func (w *world) violations(id order.ID) []string {
	ctx := context.Background()
	row, err := w.Memory.Order(ctx, id)
	if err != nil {
		return []string{fmt.Sprintf("invariant %q: %v", invariants[0].name, err)}
	}
	s := story{row: row, log: w.log, hold: w.catalog.State(id), till: w.payments.Till(id), lamps: w.catalog.Units(lamp)}
	s.timeline, _ = w.Memory.Timeline(ctx, id)
	for _, e := range w.events {
		if e.OrderID == id {
			s.events = append(s.events, e)
		}
	}
	var out []string
	for _, inv := range invariants {
		if wrong := inv.holds(s); wrong != "" {
			out = append(out, fmt.Sprintf("invariant %q: %s", inv.name, wrong))
		}
	}
	return out
}

func sameParameters(s story) string {
	var first *order.Payment
	for _, e := range s.log {
		if e.kind != asked || e.payment.OrderID == "" {
			continue
		}
		if first == nil {
			first = &e.payment
		}
		same := e.payment.Amount == first.Amount && e.payment.Method == first.Method && e.payment.OrderedAt.Equal(first.OrderedAt)
		if !same {
			return fmt.Sprintf("called with %+v, then with %+v", *first, e.payment)
		}
	}
	return ""
}

// firstCause checks that every cause the fence received is right, and that the row keeps the first.
func firstCause(s story) string {
	kept := false
	for i, e := range s.log {
		if !e.matches(-1, asked, "CloseOrder") {
			continue
		}
		if wrong := s.explain(i, e); wrong != "" {
			return wrong
		}
		if !kept && !s.confirmed() && s.row.Reason() != e.cause.Reason {
			return fmt.Sprintf("the fence first received %s, the row says %s", e.cause.Reason, s.row.Reason())
		}
		kept = true
	}
	return ""
}

// explain says what is wrong with the cause that the fence received in entry i, given what happened before.
func (s story) explain(i int, e entry) string {
	before := story{log: s.log[:i], row: s.row}
	refusal := before.first(e.run, refused, forwardSteps...)
	cancel := before.happened(e.run, cancelled)
	if refusal >= 0 && !cancel {
		if want := s.log[refusal].cause.Reason; e.cause.Reason != want {
			return fmt.Sprintf("the saga was refused with %s, the fence received %s", want, e.cause.Reason)
		}
		return ""
	}
	because := map[order.Reason]bool{
		order.CancelledByUser:     cancel,
		order.CancelledByOperator: cancel || before.happened(e.run, given),
		order.TimedOut:            e.at.Sub(startOf(s.log)) >= workflows.PivotTimeout,
		order.Interrupted: before.happened(-1, rerun) || before.happened(-1, recovered) ||
			before.happened(-1, tookEffect, "CloseOrder"),
	}
	if refusal >= 0 {
		because[s.log[refusal].cause.Reason] = true
	}
	if !because[e.cause.Reason] {
		return fmt.Sprintf("the fence received %s without a reason", e.cause.Reason)
	}
	return ""
}

// startOf returns when the workflow started, which the first entry says.
func startOf(log []entry) time.Time { return log[0].at }

// prevented reports whether anything prevents the order from being confirmed.
func (s story) prevented() bool {
	for _, e := range s.log {
		forward := slices.Contains(forwardSteps, e.op)
		if e.kind == refused && forward || e.kind == cancelled || e.kind == recovered || e.kind == given ||
			e.matches(-1, asked, "CloseOrder") && e.cause.Reason == order.TimedOut {
			return true
		}
	}
	return false
}

// legalTimeline checks the order's transitions: each once, and only in a sequence that is allowed.
func legalTimeline(s story) string {
	var got []order.EntryType
	for _, r := range s.timeline {
		switch r.Type {
		case order.EntryCreated, order.EntryClosing, order.EntryConfirmed, order.EntryFailed, order.EntryCancelled:
			got = append(got, r.Type)
		}
	}
	legal := [][]order.EntryType{
		{order.EntryCreated, order.EntryConfirmed},
		{order.EntryCreated, order.EntryClosing, order.EntryFailed}, {order.EntryClosing, order.EntryFailed},
		{order.EntryCreated, order.EntryClosing, order.EntryCancelled}, {order.EntryClosing, order.EntryCancelled},
	}
	for _, l := range legal {
		if slices.Equal(got, l) {
			return ""
		}
	}
	return fmt.Sprint(got)
}
