package postgres_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/order"
)

func climbs(t *testing.T, b books) {
	o := sold(t, b)
	r := b.book(t, request(o, order.Return, units(1, 1)))
	want := r
	for _, step := range []struct {
		status order.RefundStatus
		stale  []order.RefundStatus
	}{
		{order.RefundPending, []order.RefundStatus{order.RefundPending, order.RefundRefused}},
		{order.RefundSucceeded, []order.RefundStatus{order.RefundPending, order.RefundSucceeded, order.RefundRefused}},
		{order.RefundFailed, []order.RefundStatus{order.RefundPending, order.RefundSucceeded, order.RefundFailed, order.RefundRefused}},
	} {
		got := b.settle(t, r.ID, step.status)
		want.Status, want.GatewayID, want.Version = step.status, "re_"+string(r.ID), want.Version+1
		if step.status == order.RefundFailed {
			want.Cause = order.RefundOutcome{Status: order.RefundFailed}.Why()
		}
		alike(t, "settled as "+string(step.status), want, got)
		if !got.RefusedAt.IsZero() || got.AcceptedAt.Before(r.CreatedAt) || got.FailedAt.IsZero() == (got.Cause != nil) ||
			!want.AcceptedAt.IsZero() && got.AcceptedAt != want.AcceptedAt {
			t.Errorf("%s: accepted at %v, refused at %v, failed at %v", got.Status, got.AcceptedAt, got.RefusedAt, got.FailedAt)
		}
		want.AcceptedAt = got.AcceptedAt
		for _, stale := range step.stale {
			again := must(b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{Status: stale, GatewayID: "re_stale"}))(t)
			same(t, string(step.status)+", then a stale "+string(stale), got, again)
		}
		b.refundStays(t, got)
	}
	detail := "RETURN of 9.99 USD"
	b.wantEntries(t, o.ID,
		order.Entry{Type: order.EntryRefundBooked, Detail: detail + " (refund " + string(r.ID) + ")"},
		order.Entry{Type: order.EntryRefundAccepted, Detail: detail + " (refund " + string(r.ID) + ")"},
		order.Entry{Type: order.EntryRefundSucceeded, Detail: detail + " (refund " + string(r.ID) + ")"},
		order.Entry{Type: order.EntryRefundFailed, Detail: detail + ": GATEWAY_FAILED (refund " + string(r.ID) + ")"},
	)
}

func answered(t *testing.T, b books) {
	o := sold(t, b)
	booked := b.book(t, request(o, order.Return, units(1, 1)))
	accepted := b.book(t, request(o, order.Return, units(1, 1)))
	refused := must(b.refunds.Book(t.Context(), request(o, order.Return, units(1, 9))))(t)
	unknown := order.RefundID(uuid.NewString())
	check := func(want ...order.Refund) {
		t.Helper()
		got := must(b.refunds.Answered(t.Context(), []order.RefundID{booked.ID, accepted.ID, refused.ID, unknown}))(t)
		slices.SortFunc(got, func(x, y order.Refund) int { return x.Status.Rank() - y.Status.Rank() })
		same(t, "the refunds that are answered", want, got)
	}
	check(refused)
	check(refused, b.settle(t, accepted.ID, order.RefundPending))
}

func failsAtOnce(t *testing.T, b books) {
	r := b.book(t, request(sold(t, b), order.Return, units(1, 1)))
	cause := &order.RefundCause{Reason: order.GatewayFailed, Message: "the account is closed", By: order.RefusedByGateway}
	r = must(b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{Status: order.RefundFailed, Cause: cause}))(t)
	same(t, "the cause", cause, r.Cause)
	if r.Status != order.RefundFailed || r.AcceptedAt.IsZero() || r.AcceptedAt != r.FailedAt || r.Units != order.UnitsDue {
		t.Errorf("got %+v", r)
	}
}

func refusedByGateway(t *testing.T, b books) {
	o := sold(t, b)
	r := b.book(t, request(o, order.Cancellation))
	got := b.settle(t, r.ID, order.RefundRefused)
	want := r
	want.Status, want.GatewayID, want.Version, want.Units = order.RefundRefused, "re_"+string(r.ID), 2, order.UnitsNone
	want.Cause = order.RefundOutcome{Status: order.RefundRefused}.Why()
	alike(t, "the refused refund", want, got)
	if got.RefusedAt.IsZero() || !got.AcceptedAt.IsZero() {
		t.Errorf("refused at %v, accepted at %v", got.RefusedAt, got.AcceptedAt)
	}
	same(t, "the amount of the next one", o.Total, b.book(t, request(o, order.Cancellation)).Amount)
}

// The units of a late refund may be another refund's by now, so they do not move. Its money counts.
func late(t *testing.T, b books) {
	o := sold(t, b)
	r := b.book(t, request(o, order.Cancellation))
	refused := b.settle(t, r.ID, order.RefundRefused)
	refused = must(b.refunds.Finish(t.Context(), r.ID, refused.Version))(t)
	other := b.book(t, request(o, order.Cancellation))
	b.settle(t, other.ID, order.RefundSucceeded)

	got := b.settle(t, r.ID, order.RefundSucceeded)
	want := refused
	want.Status, want.Late, want.Cause, want.Settled, want.Version = order.RefundSucceeded, true, nil, false, refused.Version+1
	alike(t, "the late refund", want, got)
	if got.AcceptedAt.IsZero() || got.RefusedAt != refused.RefusedAt {
		t.Errorf("refused at %v, accepted at %v", got.RefusedAt, got.AcceptedAt)
	}
	same(t, "the late refund, its units returned", got, must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsDone))(t))
	now := must(b.Order(t.Context(), o.ID))(t)
	if now.Refunded != usd(2*2997) || now.Items[0].Returned != 2 {
		t.Errorf("given back: %s, %d units of line 1", now.Refunded, now.Items[0].Returned)
	}
	// Both fail. The late one never had the units, and the other one still has them.
	b.settle(t, r.ID, order.RefundFailed)
	b.settle(t, other.ID, order.RefundFailed)
	cause := wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Return, units(2, 1))))(t), order.QuantityTooLarge)
	same(t, "what is left", []order.LineLeft{{Line: 2, Asked: 1}}, cause.Lines)
}

func replacedOnce(t *testing.T, b books) {
	o := sold(t, b)
	failed := b.book(t, request(o, order.Cancellation))
	b.settle(t, failed.ID, order.RefundFailed)
	wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Cancellation)))(t), order.NothingLeft)

	replacement := func() order.RefundRequest {
		req := request(o, order.Cancellation)
		req.Money, req.Replaces = order.ByOtherMeans, failed.ID
		return req
	}
	first := b.book(t, replacement())
	if first.Amount != o.Total || len(first.Lines) != 0 || first.Units != order.UnitsNone || first.Replaces != failed.ID {
		t.Errorf("the replacement: %+v", first)
	}
	wantRefused(t, must(b.refunds.Book(t.Context(), replacement()))(t), order.NotReplaceable)
	b.settle(t, first.ID, order.RefundRefused) // so it may be replaced after all
	second := b.book(t, replacement())
	b.settle(t, first.ID, order.RefundPending) // and the first had happened: a fact, however many replacements
	b.settle(t, second.ID, order.RefundFailed)
	wantRefused(t, must(b.refunds.Book(t.Context(), replacement()))(t), order.NotReplaceable)
}

func outside(t *testing.T, b books) {
	o := sold(t, b)
	b.book(t, goodwill(o, 2000))
	found := order.GatewayRefund{
		ID: "re_" + uuid.NewString(), PaymentID: o.PaymentID, Status: order.RefundPending, Amount: usd(2000),
	}
	r := must(b.refunds.BookOutside(t.Context(), o.ID, found))(t)
	alike(t, "the refund", order.Refund{
		ID: order.OutsideRefundID(found.ID), OrderID: o.ID, UserID: 42, Kind: order.Outside, By: order.ByGateway,
		Money: order.ThroughGateway, Amount: usd(2000), Status: order.RefundPending, PaymentID: o.PaymentID, GatewayID: found.ID,
		Units: order.UnitsNone, Version: 2,
	}, r)
	same(t, "a repetition", r, must(b.refunds.BookOutside(t.Context(), o.ID, found))(t))
	found.Status, found.Failure = order.RefundFailed, "lost_or_stolen_card"
	r = must(b.refunds.BookOutside(t.Context(), o.ID, found))(t)
	if r.Status != order.RefundFailed || r.Cause.Reason != order.GatewayFailed || r.Version != 3 {
		t.Errorf("a newer look-up: %+v, %+v", r, r.Cause)
	}
	detail := " (refund " + string(r.ID) + ")"
	entries := must(b.Timeline(t.Context(), o.ID))(t)
	same(t, "the last entries", []string{"OUTSIDE of 20.00 USD" + detail, "OUTSIDE of 20.00 USD: GATEWAY_FAILED" + detail},
		[]string{entries[len(entries)-2].Detail, entries[len(entries)-1].Detail})
	for name, change := range map[string]func(*order.GatewayRefund){
		"another payment":  func(g *order.GatewayRefund) { g.PaymentID = "pi_other" },
		"another currency": func(g *order.GatewayRefund) { g.Amount.Currency = "EUR" },
	} {
		found := order.GatewayRefund{
			ID: "re_" + uuid.NewString(), PaymentID: o.PaymentID, Status: order.RefundPending, Amount: usd(1),
		}
		change(&found)
		if _, err := b.refunds.BookOutside(t.Context(), o.ID, found); !errors.Is(err, order.ErrNotFound) {
			t.Errorf("%s: %v, want order.ErrNotFound", name, err)
		}
	}
	found = order.GatewayRefund{ID: "re_new", PaymentID: o.PaymentID, Status: "", Amount: usd(1)}
	if _, err := b.refunds.BookOutside(t.Context(), o.ID, found); err == nil {
		t.Error("booked without a status")
	}
}

func returnedUnits(t *testing.T, b books) {
	r := b.book(t, request(sold(t, b), order.Return, units(1, 1)))
	same(t, "while it is BOOKED", r, must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsDone))(t))
	want := b.settle(t, r.ID, order.RefundPending)
	got := must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsDone))(t)
	want.Units, want.Version = order.UnitsDone, want.Version+1
	alike(t, "its units returned", want, got)
	same(t, "again, by an operator", got, must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsSkipped))(t))
	b.refundStays(t, got)

	money := b.settle(t, b.book(t, goodwill(sold(t, b), 1)).ID, order.RefundPending)
	same(t, "without units", money, must(b.refunds.ReturnedUnits(t.Context(), money.ID, order.UnitsDone))(t))
}

// FAILED comes between the announcement and its record: it must be announced as well.
func finished(t *testing.T, b books) {
	r := b.book(t, goodwill(sold(t, b), 1))
	announced := b.settle(t, r.ID, order.RefundSucceeded)
	failed := b.settle(t, r.ID, order.RefundFailed)
	same(t, "finished as a version that is gone", failed, must(b.refunds.Finish(t.Context(), r.ID, announced.Version))(t))
	got := must(b.refunds.Finish(t.Context(), r.ID, failed.Version))(t)
	want := failed
	want.Settled, want.Version = true, failed.Version+1
	alike(t, "finished", want, got)
	same(t, "finished again", got, must(b.refunds.Finish(t.Context(), r.ID, failed.Version))(t))
	same(t, "finished again as it is", got, must(b.refunds.Finish(t.Context(), r.ID, got.Version))(t))
	b.refundStays(t, got)
}

func notFinished(t *testing.T, b books) {
	r := b.book(t, request(sold(t, b), order.Return, units(1, 1)))
	same(t, "BOOKED", r, must(b.refunds.Finish(t.Context(), r.ID, r.Version))(t))
	r = b.settle(t, r.ID, order.RefundSucceeded)
	same(t, "with units that are due", r, must(b.refunds.Finish(t.Context(), r.ID, r.Version))(t))
	r = must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsSkipped))(t)
	if r = must(b.refunds.Finish(t.Context(), r.ID, r.Version))(t); !r.Settled {
		t.Errorf("not settled: %+v", r)
	}
}

func disputeOf(o order.Order, id string) order.Dispute {
	return order.Dispute{
		ID: id, OrderID: o.ID, PaymentID: "pi_" + string(o.ID), Amount: usd(2997), Status: "needs_response", Reason: "fraudulent",
		OpenedAt: newestDispute,
	}
}

func note(t testing.TB, b books, d order.Dispute) {
	t.Helper()
	if err := b.refunds.NoteDispute(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func disputes(t *testing.T, b books) {
	o := sold(t, b)
	d := disputeOf(o, "dp_"+string(o.ID))
	want := func(d order.Dispute) {
		t.Helper()
		same(t, "the disputes", []order.Dispute{d}, must(b.refunds.Disputes(t.Context(), o.ID))(t))
	}
	note(t, b, d)
	note(t, b, d)
	want(d)
	d.Status = "under_review"
	note(t, b, d)
	want(d)
	won := d
	won.Status, won.Closed, won.ClosedAt = "won", true, newestDispute.AddDate(0, 1, 0)
	note(t, b, won)
	note(t, b, won)
	note(t, b, d)
	lost := won
	lost.Status, lost.Lost = "lost", true
	note(t, b, lost)
	want(won)
	b.wantEntries(t, o.ID,
		order.Entry{Type: order.EntryDisputeOpened, Detail: "29.97 USD: fraudulent, needs_response (dispute " + d.ID + ")"},
		order.Entry{Type: order.EntryDisputeClosed, Detail: "29.97 USD: fraudulent, won (dispute " + d.ID + ")"})
	b.book(t, goodwill(o, 1)) // a dispute that was won is in nobody's way
}
