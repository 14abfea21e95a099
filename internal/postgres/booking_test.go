package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

func bookedReturn(t *testing.T, b books) {
	o := sold(t, b)
	req := request(o, order.Return, order.RefundItem{Line: 1, Quantity: 2, Restock: 1}, units(2, 1))
	req.Subject, req.Reason, req.Message = "ann", "broken", "sorry"
	r := must(b.refunds.Book(t.Context(), req))(t)
	alike(t, "the refund", order.Refund{
		ID: req.ID, OrderID: o.ID, UserID: 42, Kind: order.Return, By: order.ByOperator, Subject: "ann",
		Money: order.ThroughGateway, Amount: usd(2997), Status: order.RefundBooked, Lines: []order.RefundLine{
			{Line: 1, ProductID: "mug", Name: "Mug", Quantity: 2, Restock: 1, Value: usd(1998)},
			{Line: 2, ProductID: "tea", Name: "Tea", Quantity: 1, Restock: 1, Value: usd(999)},
		},
		PaymentID: o.PaymentID, Reason: "broken", Message: "sorry", Hash: "c0ffee", Units: order.UnitsDue, Version: 1,
	}, r)
	if age := time.Since(r.CreatedAt); age < -time.Minute || age > time.Minute || r.CreatedAt != r.UpdatedAt ||
		r.OrderedAt != o.CreatedAt {
		t.Errorf("created at %v, updated at %v, ordered at %v", r.CreatedAt, r.UpdatedAt, r.OrderedAt)
	}
	b.refundStays(t, r)
	same(t, "the order's refunds", []order.Refund{r}, must(b.refunds.OfOrder(t.Context(), o.ID))(t))
	b.wantEntries(t, o.ID, order.Entry{
		Type: order.EntryRefundBooked, Detail: "RETURN of 29.97 USD (refund " + string(r.ID) + ")",
	})
	kept := must(b.Order(t.Context(), o.ID))(t)
	kept.BooksVersion = 0
	same(t, "the order", o, kept)
}

func bookedTwice(t *testing.T, b books) {
	o := sold(t, b)
	req := request(o, order.Return, units(1, 1))
	r := b.book(t, req)
	again := goodwill(o, 5)
	again.ID = req.ID
	same(t, "the second answer", r, must(b.refunds.Book(t.Context(), again))(t))
	b.settle(t, r.ID, order.RefundPending)
	same(t, "an answer to a late repetition", must(b.refunds.Refund(t.Context(), r.ID))(t),
		must(b.refunds.Book(t.Context(), req))(t))
}

func wholeOrder(t *testing.T, b books) {
	o := sold(t, b)
	b.book(t, goodwill(o, 100))
	b.book(t, request(o, order.Return, units(1, 1)))
	byUser := request(o, order.Cancellation)
	byUser.By = order.ByUser
	r := b.book(t, byUser)
	same(t, "the amount", usd(2997-100-999), r.Amount)
	want := []order.RefundLine{
		{Line: 1, ProductID: "mug", Name: "Mug", Quantity: 1, Restock: 1, Value: usd(999)},
		{Line: 2, ProductID: "tea", Name: "Tea", Quantity: 1, Restock: 1, Value: usd(999)},
	}
	same(t, "the lines", want, r.Lines)
	wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Cancellation)))(t), order.NothingLeft)
}

// 2 units at 1.005 KWD, of which cards move only whole 0.010.
func rounded(t *testing.T, b books) {
	line := order.Line{ProductID: "oud", Name: "Oud", Quantity: 2, Price: money.Money{Amount: 1005, Currency: "KWD"}}
	for way, want := range map[order.RefundMoney]int64{order.ThroughGateway: 1000, order.ByOtherMeans: 1005, order.NoMoney: 0} {
		o := sold(t, b, line)
		req := request(o, order.Return, units(1, 1))
		req.Money = way
		r := b.book(t, req)
		if r.Amount.Amount != want || r.Lines[0].Value.Amount != 1005 {
			t.Errorf("%s: %s for units that are worth %s, want %d", way, r.Amount, r.Lines[0].Value, want)
		}
		rest := request(o, order.Cancellation)
		rest.Money = way
		if r := b.book(t, rest); way != order.NoMoney && r.Amount.Amount != 2010-want {
			t.Errorf("%s: the rest is %s", way, r.Amount)
		}
	}
}

func refusedByBooks(t *testing.T, b books) {
	for name, tc := range map[string]struct {
		before func(o order.Order) // what has happened to the order
		ask    func(o order.Order) order.RefundRequest
		want   order.RefundReason
		left   *money.Money
		lines  []order.LineLeft
	}{
		"more money than was paid": {
			ask:  func(o order.Order) order.RefundRequest { return goodwill(o, 2998) },
			want: order.RefundTooLarge, left: &money.Money{Amount: 2997, Currency: "USD"},
		},
		"more money than is left": {
			before: func(o order.Order) { b.book(t, goodwill(o, 1000)) },
			ask: func(o order.Order) order.RefundRequest {
				return request(o, order.Return, units(1, 2), units(2, 1))
			},
			want: order.RefundTooLarge, left: &money.Money{Amount: 1997, Currency: "USD"},
		},
		"money of another currency": {
			ask:  func(o order.Order) order.RefundRequest { return goodwillOf("EUR", o) },
			want: order.RefundTooLarge, left: &money.Money{Amount: 2997, Currency: "USD"},
		},
		"no money is left": {
			before: func(o order.Order) { b.book(t, goodwill(o, 2997)) },
			ask:    func(o order.Order) order.RefundRequest { return request(o, order.Return, units(1, 1)) },
			want:   order.NothingLeft,
		},
		"more units than were bought, and a line that is not there": {
			before: func(o order.Order) { b.book(t, request(o, order.Return, units(1, 1))) },
			ask: func(o order.Order) order.RefundRequest {
				return request(o, order.Return, units(3, 1), units(2, 1), units(1, 2))
			},
			want: order.QuantityTooLarge, lines: []order.LineLeft{{Line: 1, Asked: 2, Left: 1}, {Line: 3, Asked: 1}},
		},
		"a disputed payment": {
			before: func(o order.Order) { note(t, b, disputeOf(o, "dp_1"+string(o.ID))) },
			ask:    func(o order.Order) order.RefundRequest { return goodwill(o, 1) },
			want:   order.PaymentDisputed,
		},
		"a lost dispute": {
			before: func(o order.Order) {
				d := disputeOf(o, "dp_2"+string(o.ID))
				d.Closed, d.Lost = true, true
				note(t, b, d)
			},
			ask:  func(o order.Order) order.RefundRequest { return goodwill(o, 1) },
			want: order.PaymentDisputed,
		},
		"the window is over": {
			ask: func(o order.Order) order.RefundRequest {
				req := request(o, order.Cancellation)
				req.By, req.ConfirmedSince = order.ByUser, o.UpdatedAt.Add(time.Microsecond)
				return req
			},
			want: order.CancelWindowOver,
		},
		"a refund that did not fail cannot be replaced": {
			ask: func(o order.Order) order.RefundRequest {
				req := goodwill(o, 1)
				req.Replaces = b.book(t, goodwill(o, 2)).ID
				return req
			},
			want: order.NotReplaceable,
		},
		"a refund that is unknown cannot be replaced": {
			ask: func(o order.Order) order.RefundRequest {
				req := goodwill(o, 1)
				req.Replaces = goodwill(o, 1).ID
				return req
			},
			want: order.NotReplaceable,
		},
		"a refund of another order cannot be replaced": {
			ask: func(o order.Order) order.RefundRequest {
				other := b.book(t, goodwill(sold(t, b), 2))
				b.settle(t, other.ID, order.RefundFailed)
				req := goodwill(o, 1)
				req.Replaces = other.ID
				return req
			},
			want: order.NotReplaceable,
		},
	} {
		o := sold(t, b)
		if tc.before != nil {
			tc.before(o)
		}
		req := tc.ask(o)
		r := must(b.refunds.Book(t.Context(), req))(t)
		cause := wantRefused(t, r, tc.want)
		if diff := cmp.Diff(tc.left, cause.Left); diff != "" {
			t.Errorf("%s: what is left (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tc.lines, cause.Lines); diff != "" {
			t.Errorf("%s: the lines that are left (-want +got):\n%s", name, diff)
		}
		same(t, name+", again", r, must(b.refunds.Book(t.Context(), req))(t))
	}
	unsold := must(b.Create(t.Context(), sold(t, fakeBooks())))(t)
	req := request(unsold, order.Cancellation)
	r := must(b.refunds.Book(t.Context(), req))(t)
	wantRefused(t, r, order.OrderNotConfirmed)
	must(b.Confirm(t.Context(), unsold.ID, "pi_1", nil))(t)
	same(t, "a repetition after the order was confirmed", order.OrderNotConfirmed,
		must(b.refunds.Book(t.Context(), req))(t).Cause.Reason)
	unpriced := must(b.Close(t.Context(), sold(t, fakeBooks()).Request(), declined, nil))(t)
	wantRefused(t, must(b.refunds.Book(t.Context(), request(unpriced, order.Return, units(1, 1))))(t), order.OrderNotConfirmed)
}

func impossibleRequests(t *testing.T, b books) {
	o := sold(t, b)
	for name, change := range map[string]func(*order.RefundRequest){
		"no kind":                  func(r *order.RefundRequest) { r.Kind = "" },
		"made outside":             func(r *order.RefundRequest) { r.Kind = order.Outside },
		"a return of nothing":      func(r *order.RefundRequest) { r.Items = nil },
		"goodwill without amount":  func(r *order.RefundRequest) { r.Kind, r.Items = order.Goodwill, nil },
		"goodwill with items":      func(r *order.RefundRequest) { r.Kind, r.Amount = order.Goodwill, usd(1) },
		"by nobody":                func(r *order.RefundRequest) { r.By = "" },
		"by the gateway":           func(r *order.RefundRequest) { r.By = order.ByGateway },
		"no way of the money":      func(r *order.RefundRequest) { r.Money = "" },
		"an amount, but no money":  func(r *order.RefundRequest) { r.Money, r.Amount = order.NoMoney, usd(1) },
		"a negative amount":        func(r *order.RefundRequest) { r.Amount = usd(-1) },
		"an amount of zero":        func(r *order.RefundRequest) { r.Amount = usd(0) },
		"no hash":                  func(r *order.RefundRequest) { r.Hash = "" },
		"line 0":                   func(r *order.RefundRequest) { r.Items[0].Line = 0 },
		"a line twice":             func(r *order.RefundRequest) { r.Items = append(r.Items, r.Items[0]) },
		"no units":                 func(r *order.RefundRequest) { r.Items[0] = units(1, 0) },
		"more on sale than return": func(r *order.RefundRequest) { r.Items[0].Restock = 2 },
		"less than none on sale":   func(r *order.RefundRequest) { r.Items[0].Restock = -1 },
	} {
		req := request(o, order.Return, units(1, 1))
		change(&req)
		if r, err := b.refunds.Book(t.Context(), req); err == nil {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	for name, req := range map[string]order.ShipmentRequest{
		"of nothing": shipment(o), "of no units": shipment(o, 1, 0), "of a line twice": shipment(o, 1, 1, 1, 1),
	} {
		if s, err := b.shipments.Ship(t.Context(), req); err == nil {
			t.Errorf("a shipment %s: got %+v", name, s)
		}
	}
	r := b.book(t, request(o, order.Return, units(1, 1)))
	for _, status := range []order.RefundStatus{"", "DONE", order.RefundBooked} {
		if _, err := b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{Status: status}); err == nil {
			t.Errorf("settled as %q", status)
		}
	}
	if _, err := b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsNone); err == nil {
		t.Error("returned the units as NONE")
	}
	b.refundStays(t, r)
	// Whoever finishes a refund knows it by its row, which does not say all that was asked for.
	same(t, "booked as its row says", r, must(b.refunds.Book(t.Context(), r.Request()))(t))
	same(t, "fenced as its row says", r, must(b.refunds.Fence(t.Context(), r.Request(), withdrawn))(t))
	parcel := b.ship(t, shipment(o, 1, 1))
	same(t, "shipped without items", parcel, must(b.shipments.Ship(t.Context(), order.ShipmentRequest{ID: parcel.ID, OrderID: o.ID}))(t))
}

var withdrawn = order.RefundCause{Reason: order.RefundWithdrawn, Message: "cancelled", By: order.RefusedByBooks}

func fenced(t *testing.T, b books) {
	o := sold(t, b)
	req := request(o, order.Return, units(1, 1))
	r := must(b.refunds.Fence(t.Context(), req, withdrawn))(t)
	wantRefused(t, r, order.RefundWithdrawn)
	same(t, "a late booking", r, must(b.refunds.Book(t.Context(), req))(t))
	same(t, "a second fence", r, must(b.refunds.Fence(t.Context(), req, order.RefundCause{Reason: order.RefundInterrupted}))(t))
	b.wantEntries(t, o.ID, order.Entry{
		Type: order.EntryRefundRefused, Detail: "RETURN of 9.99 USD: CANCELLED (refund " + string(r.ID) + ")",
	})
	b.book(t, request(o, order.Return, units(1, 2))) // nothing of the fenced one counts

	booked := request(sold(t, b), order.Return, units(1, 1))
	won := b.book(t, booked)
	same(t, "a fence that comes too late", won, must(b.refunds.Fence(t.Context(), booked, withdrawn))(t))
}
