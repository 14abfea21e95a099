package postgres_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// newestDispute is when the disputes of the tests were opened.
var newestDispute = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func shippedIsNotCancelled(t *testing.T, b books) {
	o := sold(t, b)
	b.ship(t, shipment(o, 1, 1))
	whole := request(o, order.Cancellation)
	cause := wantRefused(t, must(b.refunds.Book(t.Context(), whole))(t), order.OrderShipped)
	same(t, "what could be cancelled", []order.LineLeft{{Line: 1, Asked: 2, Left: 1}}, cause.Lines)
	byUser := request(o, order.Cancellation, units(2, 1)) // nothing of line 2 is shipped
	byUser.By = order.ByUser
	wantRefused(t, must(b.refunds.Book(t.Context(), byUser))(t), order.OrderShipped)
	b.book(t, request(o, order.Cancellation, units(1, 1), units(2, 1)))
	cause = wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Cancellation, units(1, 1))))(t), order.OrderShipped)
	same(t, "what could be cancelled then", []order.LineLeft{{Line: 1, Asked: 1}}, cause.Lines)
}

func cancelledIsNotShipped(t *testing.T, b books) {
	o := sold(t, b)
	cancelled := b.book(t, request(o, order.Cancellation, units(1, 1)))
	s := must(b.shipments.Ship(t.Context(), shipment(o, 2, 1, 1, 2)))(t)
	if s.Status != order.ShipmentRefused || s.Cause.Reason != order.QuantityTooLarge {
		t.Fatalf("got %+v, %+v", s, s.Cause)
	}
	same(t, "what could be shipped", []order.LineLeft{{Line: 1, Asked: 2, Left: 1}}, s.Cause.Lines)
	b.settle(t, cancelled.ID, order.RefundRefused)
	b.ship(t, shipment(o, 1, 2, 2, 1))
	// The gateway had made it after all. Its unit is shipped: the refund is late, and the unit stays where it is.
	if r := b.settle(t, cancelled.ID, order.RefundSucceeded); !r.Late || r.Units != order.UnitsNone {
		t.Errorf("got %+v", r)
	}
}

func returnsOfShipped(t *testing.T, b books) {
	o := sold(t, b)
	b.ship(t, shipment(o, 1, 1))
	cause := wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Return, units(1, 2), units(2, 1))))(t),
		order.QuantityTooLarge)
	same(t, "what could come back", []order.LineLeft{{Line: 1, Asked: 2, Left: 1}, {Line: 2, Asked: 1}}, cause.Lines)
	b.book(t, request(o, order.Return, units(1, 1)))
	b.book(t, request(o, order.Cancellation, units(1, 1), units(2, 1))) // the rest, which was never shipped
	wantRefused(t, must(b.refunds.Book(t.Context(), request(o, order.Cancellation)))(t), order.NothingLeft)
}

func refusedShipments(t *testing.T, b books) {
	o := sold(t, b)
	req := shipment(o, 3, 1, 1, 3, 2, 1)
	s := must(b.shipments.Ship(t.Context(), req))(t)
	cause := order.RefusalsOfShipping[order.QuantityTooLarge]
	cause.Lines = []order.LineLeft{{Line: 1, Asked: 3, Left: 2}, {Line: 3, Asked: 1}}
	alike(t, "the shipment", order.Shipment{
		ID: req.ID, OrderID: o.ID, UserID: 42, Status: order.ShipmentRefused, Cause: &cause, Lines: []order.ShipmentLine{
			{Line: 1, ProductID: "mug", Name: "Mug", Quantity: 3}, {Line: 2, ProductID: "tea", Name: "Tea", Quantity: 1},
		},
		Carrier: "DHL", Tracking: "JD01", Subject: "ann", Hash: "c0ffee", Settled: true, Version: 1,
	}, s)
	smaller := shipment(o, 1, 1)
	smaller.ID = req.ID
	same(t, "a repetition", s, must(b.shipments.Ship(t.Context(), smaller))(t))
	if _, err := b.shipments.Arrive(t.Context(), s.ID, order.Delivered); !errors.Is(err, order.ErrConflict) {
		t.Errorf("delivered: %v, want order.ErrConflict", err)
	}
	b.wantEntries(t, o.ID)
	b.ship(t, shipment(o, 1, 2, 2, 1)) // nothing of the refused one counts

	unsold := must(b.Create(t.Context(), sold(t, fakeBooks())))(t)
	s = must(b.shipments.Ship(t.Context(), shipment(unsold, 1, 1)))(t)
	if s.Status != order.ShipmentRefused || s.Cause.Reason != order.OrderNotConfirmed || s.Cause.Lines != nil {
		t.Errorf("an order that is not confirmed: %+v, %+v", s, s.Cause)
	}
}

func arrives(t *testing.T, b books) {
	o := sold(t, b)
	req := shipment(o, 1, 1)
	shipped := b.ship(t, req)
	want := order.Shipment{
		ID: req.ID, OrderID: o.ID, UserID: 42, Status: order.Shipped, Carrier: "DHL", Tracking: "JD01", Subject: "ann",
		Hash: "c0ffee", Version: 1, Lines: []order.ShipmentLine{{Line: 1, ProductID: "mug", Name: "Mug", Quantity: 1}},
	}
	alike(t, "the shipment", want, shipped)
	same(t, "shipped again", shipped, must(b.shipments.Ship(t.Context(), req))(t))
	same(t, "the stored shipment", shipped, must(b.shipments.Shipment(t.Context(), req.ID))(t))

	settled := must(b.shipments.FinishShipment(t.Context(), req.ID, 1))(t)
	want.Settled, want.Version = true, 2
	alike(t, "finished", want, settled)
	same(t, "finished again", settled, must(b.shipments.FinishShipment(t.Context(), req.ID, 1))(t))
	delivered := must(b.shipments.Arrive(t.Context(), req.ID, order.Delivered))(t)
	want.Status, want.Settled, want.Version = order.Delivered, false, 3
	alike(t, "delivered", want, delivered)
	if delivered.DeliveredAt.Before(shipped.ShippedAt) || !delivered.LostAt.IsZero() {
		t.Errorf("delivered at %v, lost at %v", delivered.DeliveredAt, delivered.LostAt)
	}
	same(t, "delivered again", delivered, must(b.shipments.Arrive(t.Context(), req.ID, order.Delivered))(t))
	same(t, "finished as it was", delivered, must(b.shipments.FinishShipment(t.Context(), req.ID, 2))(t))
	if _, err := b.shipments.Arrive(t.Context(), req.ID, order.LostInTransit); !errors.Is(err, order.ErrConflict) {
		t.Errorf("lost: %v, want order.ErrConflict", err)
	}
	if _, err := b.shipments.Arrive(t.Context(), req.ID, order.Shipped); err == nil {
		t.Error("SHIPPED is no end")
	}
	same(t, "the shipment stays", delivered, must(b.shipments.Shipment(t.Context(), req.ID))(t))

	other := b.ship(t, shipment(o, 2, 1))
	lost := must(b.shipments.Arrive(t.Context(), other.ID, order.LostInTransit))(t)
	if lost.Status != order.LostInTransit || lost.LostAt.IsZero() || !lost.DeliveredAt.IsZero() {
		t.Errorf("got %+v", lost)
	}
	same(t, "the order's shipments", []order.Shipment{delivered, lost}, must(b.shipments.OfOrder(t.Context(), o.ID))(t))
	b.wantEntries(t, o.ID,
		order.Entry{Type: order.EntryShipped, Detail: "DHL JD01 (shipment " + string(req.ID) + ")"},
		order.Entry{Type: order.EntryDelivered, Detail: "DHL JD01 (shipment " + string(req.ID) + ")"},
		order.Entry{Type: order.EntryShipped, Detail: "DHL JD01 (shipment " + string(other.ID) + ")"},
		order.Entry{Type: order.EntryLost, Detail: "DHL JD01 (shipment " + string(other.ID) + ")"})
}

func orderBooks(t *testing.T, b books) {
	o := sold(t, b)
	version := int64(0)
	want := func(givenBack, fulfilment order.Part, refunded int64, lines ...order.Line) {
		t.Helper()
		got := must(b.Order(t.Context(), o.ID))(t)
		if got.GivenBack() != givenBack || got.Fulfilment() != fulfilment || got.Refunded.Amount != refunded {
			t.Errorf("given back: %s, %s; shipped: %s", got.GivenBack(), got.Refunded, got.Fulfilment())
		}
		for i, l := range lines {
			l.ProductID, l.Name, l.Quantity, l.Price = o.Items[i].ProductID, o.Items[i].Name, o.Items[i].Quantity, o.Items[i].Price
			same(t, "a line", l, got.Items[i])
		}
		if got.BooksVersion <= version {
			t.Errorf("version %d of the books after %d", got.BooksVersion, version)
		}
		version = got.BooksVersion
		list, _, err := b.Orders(t.Context(), order.Query{UserID: o.UserID, From: o.CreatedAt, To: o.CreatedAt.Add(time.Microsecond)})
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range list {
			if listed.ID == o.ID {
				same(t, "the order in a list", got, listed)
				return
			}
		}
		t.Error("the order is in no list")
	}
	gone := order.Line{Returned: 1, Cancelled: 1}
	parcel := b.ship(t, shipment(o, 1, 1))
	want(order.PartNone, order.PartSome, 0, order.Line{Shipped: 1}, order.Line{})
	must(b.shipments.Ship(t.Context(), shipment(o, 1, 9)))(t) // refused
	must(b.shipments.Arrive(t.Context(), parcel.ID, order.Delivered))(t)
	want(order.PartNone, order.PartSome, 0, order.Line{Shipped: 1, Delivered: 1}, order.Line{})
	cancelled := b.book(t, request(o, order.Cancellation, units(2, 1)))
	want(order.PartNone, order.PartSome, 0, order.Line{Shipped: 1, Delivered: 1}, order.Line{})
	b.settle(t, cancelled.ID, order.RefundPending)
	want(order.PartSome, order.PartSome, 999, order.Line{Shipped: 1, Delivered: 1}, gone)
	b.ship(t, shipment(o, 1, 1))
	want(order.PartSome, order.PartAll, 999, order.Line{Shipped: 2, Delivered: 1}, gone)
	returned := b.book(t, request(o, order.Return, units(1, 2)))
	b.settle(t, returned.ID, order.RefundSucceeded)
	want(order.PartAll, order.PartAll, 2997, order.Line{Returned: 2, Shipped: 2, Delivered: 1}, gone)
	b.settle(t, returned.ID, order.RefundFailed)
	want(order.PartSome, order.PartAll, 999, order.Line{Returned: 2, Shipped: 2, Delivered: 1}, gone)
}

func balances(t *testing.T, b books) {
	untouched, o := sold(t, b), sold(t, b)
	pendingOrder := must(b.Create(t.Context(), sold(t, fakeBooks())))(t)
	byOtherMeans := goodwill(o, 10)
	byOtherMeans.Money = order.ByOtherMeans
	b.settle(t, b.book(t, byOtherMeans).ID, order.RefundSucceeded)
	b.settle(t, b.book(t, goodwill(o, 100)).ID, order.RefundPending)
	b.book(t, goodwill(o, 1))
	skipped := b.settle(t, b.book(t, request(o, order.Return, units(1, 1))).ID, order.RefundSucceeded)
	must(b.refunds.ReturnedUnits(t.Context(), skipped.ID, order.UnitsSkipped))(t)
	failed, owed := b.book(t, goodwill(o, 5)), b.book(t, goodwill(o, 7))
	b.settle(t, failed.ID, order.RefundFailed)
	b.settle(t, owed.ID, order.RefundFailed)
	good := goodwill(o, 5)
	good.Money, good.Replaces = order.ByOtherMeans, failed.ID
	last := b.settle(t, b.book(t, good).ID, order.RefundSucceeded)

	got := map[order.ID]order.Balance{}
	ids := []order.ID{untouched.ID, o.ID, pendingOrder.ID}
	for _, balance := range must(b.refunds.Balances(t.Context(), ids))(t) {
		got[balance.OrderID] = balance
	}
	same(t, "the balances", map[order.ID]order.Balance{
		untouched.ID: {OrderID: untouched.ID, Kept: o.Total, Owed: usd(0)},
		o.ID: {
			OrderID: o.ID, Kept: usd(2997 - 100 - 999), Owed: usd(7), Unsettled: last.UpdatedAt, Skipped: []order.RefundID{skipped.ID},
		},
	}, equalEmpty(got))
}

// equalEmpty turns empty lists into nil ones.
func equalEmpty(balances map[order.ID]order.Balance) map[order.ID]order.Balance {
	for id, b := range balances {
		if len(b.Skipped) == 0 {
			b.Skipped = nil
			balances[id] = b
		}
	}
	return balances
}

func unsettled(t *testing.T, b books) {
	o := sold(t, b)
	var refunds []order.Refund
	for range 3 {
		refunds = append(refunds, b.book(t, goodwill(o, 1)))
	}
	refunds = append(refunds[1:], b.settle(t, refunds[0].ID, order.RefundPending))
	settled := b.settle(t, b.book(t, goodwill(o, 1)).ID, order.RefundSucceeded)
	must(b.refunds.Finish(t.Context(), settled.ID, settled.Version))(t)
	must(b.refunds.Fence(t.Context(), goodwill(o, 1), withdrawn))(t)
	var parcels []order.Shipment
	for _, line := range []int{1, 2} {
		parcels = append(parcels, b.ship(t, shipment(o, line, 1)))
	}
	done := b.ship(t, shipment(o, 1, 1))
	must(b.shipments.FinishShipment(t.Context(), done.ID, done.Version))(t)

	slices.SortFunc(refunds, func(a, b order.Refund) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), strings.Compare(string(a.ID), string(b.ID)))
	})
	slices.SortFunc(parcels, func(a, b order.Shipment) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), strings.Compare(string(a.ID), string(b.ID)))
	})
	for limit := 1; limit <= 4; limit++ {
		same(t, "unsettled refunds", refunds, all(t, func(cursor string) ([]order.Refund, string, error) {
			return b.refunds.Unsettled(t.Context(), 0, cursor, limit)
		}))
		same(t, "unsettled shipments", parcels, all(t, func(cursor string) ([]order.Shipment, string, error) {
			return b.shipments.Unsettled(t.Context(), 0, cursor, limit)
		}))
	}
	young, next, err := b.refunds.Unsettled(t.Context(), time.Hour, "", 10)
	if err != nil || len(young) != 0 || next != "" {
		t.Errorf("refunds younger than an hour: %v, %q, %v", young, next, err)
	}
	if _, _, err := b.refunds.Unsettled(t.Context(), 0, "?", 10); !errors.Is(err, order.ErrCursor) {
		t.Errorf("a cursor of nobody: %v", err)
	}
}

// all reads a list page by page.
func all[T any](t *testing.T, read func(cursor string) ([]T, string, error)) []T {
	t.Helper()
	var rows []T
	for cursor := ""; ; {
		page, next, err := read(cursor)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, page...)
		if next == "" {
			return rows
		}
		cursor = next
	}
}

func pending(t *testing.T, b books) {
	o := sold(t, b)
	b.book(t, goodwill(o, 1))
	first := b.settle(t, b.book(t, goodwill(o, 1)).ID, order.RefundPending)
	second := b.settle(t, b.book(t, goodwill(o, 1)).ID, order.RefundPending)
	b.settle(t, b.book(t, goodwill(o, 1)).ID, order.RefundSucceeded)
	list := func(minAge time.Duration, limit int) []order.Refund {
		t.Helper()
		return must(b.refunds.Pending(t.Context(), minAge, limit))(t)
	}
	same(t, "pending refunds", []order.Refund{first, second}, list(0, 10))
	same(t, "the first of them", []order.Refund{first}, list(0, 1))
	if err := b.refunds.Looked(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "after a look at the first", []order.Refund{second, first}, list(0, 10))
	b.refundStays(t, first)
	if young := list(time.Hour, 10); len(young) != 0 {
		t.Errorf("looked at less than an hour ago: %v", young)
	}
}
