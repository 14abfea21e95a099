package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// books are the stores of orders, refunds and shipments in one place: the adapters, and the fakes.
type books struct {
	store
	refunds   refundStore
	shipments shipmentStore
}

type refundStore interface {
	activities.Refunds
	activities.RefundBooks
	activities.Unsettled[order.Refund]
	Refund(ctx context.Context, id order.RefundID) (order.Refund, error)
	OfOrder(ctx context.Context, id order.ID) ([]order.Refund, error)
	Answered(ctx context.Context, ids []order.RefundID) ([]order.Refund, error)
	Disputes(ctx context.Context, id order.ID) ([]order.Dispute, error)
	Balances(ctx context.Context, ids []order.ID) ([]order.Balance, error)
}

type shipmentStore interface {
	activities.Shipments
	activities.Unsettled[order.Shipment]
	Arrive(ctx context.Context, id order.ShipmentID, status order.ShipmentStatus) (order.Shipment, error)
	Shipment(ctx context.Context, id order.ShipmentID) (order.Shipment, error)
	OfOrder(ctx context.Context, id order.ID) ([]order.Shipment, error)
}

// bookTests look only at orders of their own, so they share a store.
var bookTests = map[string]func(*testing.T, books){
	"a refund is booked with what its units are worth":                   bookedReturn,
	"booking twice keeps the first answer":                               bookedTwice,
	"a whole order is cancelled with all that is left":                   wholeOrder,
	"amounts are rounded down to what cards can move":                    rounded,
	"the books refuse, say why, and stay with it":                        refusedByBooks,
	"a request that fits no order is an error":                           impossibleRequests,
	"a fenced refund cannot be booked, and a booked one is not fenced":   fenced,
	"a refund's status only climbs":                                      climbs,
	"a refund is answered once it is no longer booked":                   answered,
	"a refund that fails at once was accepted":                           failsAtOnce,
	"a refused refund gives its money and units free":                    refusedByGateway,
	"a refund that was refused and had happened is late":                 late,
	"a failed refund keeps its units and can be replaced once":           replacedOnce,
	"a refund made at the gateway is booked once, whatever the sums say": outside,
	"units move once, for accepted refunds":                              returnedUnits,
	"only the version that was announced is settled":                     finished,
	"a refund that still has work to do is not settled":                  notFinished,
	"a closed dispute stays closed":                                      disputes,
	"what was shipped cannot be cancelled":                               shippedIsNotCancelled,
	"what was cancelled cannot be shipped":                               cancelledIsNotShipped,
	"only what was shipped comes back, once shipments are recorded":      returnsOfShipped,
	"the books refuse a shipment, and stay with it":                      refusedShipments,
	"a shipment arrives or is lost, once":                                arrives,
	"an order shows what happened to it since":                           orderBooks,
	"balances say what the gateway should keep":                          balances,
	"refunds, shipments and orders that are unknown are not found":       unknownBooks,
	"texts that a database cannot hold are stored all the same":          unstorableBooks,
	"many bookings at once: as many as fit":                              bookAtOnce,
	"one request at once: one row, one entry":                            oneRequestAtOnce,
	"ship and cancel one unit at once: one of them":                      shipAndCancelAtOnce,
	"book and dispute at once: one after the other":                      bookAndDisputeAtOnce,
	"what the gateway said, at once: the highest status stays":           settleAtOnce,
}

func TestBooksKeepTheContract(t *testing.T) {
	t.Parallel()
	bookContract(t, realBooks)
}

func TestBooksKeepTheContractHoweverStatementsAreSent(t *testing.T) {
	t.Parallel()
	for _, mode := range servicestest.OtherExecModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			bookContract(t, func(t testing.TB) books { return booksIn(migratedIn(t, mode)) })
		})
	}
}

func TestMemoryBooksKeepTheContract(t *testing.T) {
	t.Parallel()
	bookContract(t, func(testing.TB) books { return fakeBooks() })
}

func bookContract(t *testing.T, open func(testing.TB) books) {
	shared := open(t)
	for name, test := range bookTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, shared)
		})
	}
	t.Run("what is not settled is listed, the longest unchanged first", func(t *testing.T) {
		t.Parallel()
		unsettled(t, open(t))
	})
	t.Run("pending refunds are listed until somebody has looked", func(t *testing.T) {
		t.Parallel()
		pending(t, open(t))
	})
}

func realBooks(t testing.TB) books { return booksIn(migrated(t)) }

func booksIn(pool *pgxpool.Pool) books {
	return books{postgres.NewOrders(pool), postgres.NewRefunds(pool), postgres.NewShipments(pool)}
}

func fakeBooks() books {
	m := ordertest.NewMemory(time.Now)
	return books{m, m.Refunds(), m.Shipments()}
}

// sold stores a confirmed order: of two mugs and a tea at 9.99 USD, or of these lines.
func sold(t testing.TB, b books, lines ...order.Line) order.Order {
	t.Helper()
	o := ordertest.NewOrder(42)
	if len(lines) > 0 {
		o.Items = lines
		o.Total = must(order.Total(lines))(t)
	}
	must(b.Create(t.Context(), o))(t)
	return must(b.Confirm(t.Context(), o.ID, "pi_"+string(o.ID), nil))(t)
}

func usd(amount int64) money.Money { return money.Money{Amount: amount, Currency: "USD"} }

// request is a refund that an operator asks for.
func request(o order.Order, kind order.RefundKind, items ...order.RefundItem) order.RefundRequest {
	return order.RefundRequest{
		ID: order.RefundID(uuid.NewString()), OrderID: o.ID, Kind: kind, By: order.ByOperator, Money: order.ThroughGateway,
		Items: items, Hash: "c0ffee",
	}
}

// units are units of a line that go back on sale.
func units(line, quantity int) order.RefundItem {
	return order.RefundItem{Line: line, Quantity: quantity, Restock: quantity}
}

func goodwill(o order.Order, amount int64) order.RefundRequest {
	req := request(o, order.Goodwill)
	req.Amount = money.Money{Amount: amount, Currency: o.Total.Currency}
	return req
}

// book books a request that the books must take.
func (b books) book(t testing.TB, req order.RefundRequest) order.Refund {
	t.Helper()
	r := must(b.refunds.Book(t.Context(), req))(t)
	if r.Status != order.RefundBooked {
		t.Fatalf("%s is %s: %+v", req.Kind, r.Status, r.Cause)
	}
	return r
}

// settle records what the gateway said.
func (b books) settle(t testing.TB, id order.RefundID, status order.RefundStatus) order.Refund {
	t.Helper()
	return must(b.refunds.Settle(t.Context(), id, order.RefundOutcome{Status: status, GatewayID: "re_" + string(id)}))(t)
}

// shipment is a shipment of units of lines, given in pairs.
func shipment(o order.Order, linesAndUnits ...int) order.ShipmentRequest {
	req := order.ShipmentRequest{
		ID: order.ShipmentID(uuid.NewString()), OrderID: o.ID, Carrier: "DHL", Tracking: "JD01", Subject: "ann", Hash: "c0ffee",
	}
	for i := 0; i < len(linesAndUnits); i += 2 {
		req.Items = append(req.Items, order.ShipmentItem{Line: linesAndUnits[i], Quantity: linesAndUnits[i+1]})
	}
	return req
}

func (b books) ship(t testing.TB, req order.ShipmentRequest) order.Shipment {
	t.Helper()
	s := must(b.shipments.Ship(t.Context(), req))(t)
	if s.Status != order.Shipped {
		t.Fatalf("the shipment is %s: %+v", s.Status, s.Cause)
	}
	return s
}

// wantRefused checks that the books refused a refund for a reason, and returns the cause.
func wantRefused(t testing.TB, r order.Refund, want order.RefundReason) order.RefundCause {
	t.Helper()
	if r.Status != order.RefundRefused || r.Cause == nil || r.Cause.Reason != want || r.Cause.By != order.RefusedByBooks ||
		r.Cause.Message == "" || !r.Settled || r.Units != order.UnitsNone {
		t.Fatalf("got %+v with %+v, want it refused for %s", r, r.Cause, want)
	}
	return *r.Cause
}

// wantEntries checks the entries of an order's timeline since it was confirmed.
func (b books) wantEntries(t testing.TB, id order.ID, want ...order.Entry) {
	t.Helper()
	entries := must(b.Timeline(t.Context(), id))(t)[2:]
	for _, e := range entries {
		if e.At.IsZero() {
			t.Errorf("entry %s has no time", e.Type)
		}
	}
	if diff := cmp.Diff(want, entries, ignoreTimes); diff != "" {
		t.Errorf("the timeline (-want +got):\n%s", diff)
	}
}

// ignoreStored compares without the times at which rows were stored.
var ignoreStored = cmp.Options{
	cmpopts.IgnoreFields(order.Refund{}, "CreatedAt", "AcceptedAt", "RefusedAt", "FailedAt", "UpdatedAt", "OrderedAt"),
	cmpopts.IgnoreFields(order.Shipment{}, "ShippedAt", "DeliveredAt", "LostAt", "UpdatedAt"),
}

// alike compares refunds or shipments without the times at which they were stored.
func alike(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, ignoreStored); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (b books) refundStays(t testing.TB, want order.Refund) {
	t.Helper()
	if diff := cmp.Diff(want, must(b.refunds.Refund(t.Context(), want.ID))(t)); diff != "" {
		t.Errorf("the stored refund (-want +got):\n%s", diff)
	}
}

func unknownBooks(t *testing.T, b books) {
	ctx, o := t.Context(), order.Order{ID: order.ID(uuid.NewString())}
	refund, parcel := order.RefundID(uuid.NewString()), order.ShipmentID(uuid.NewString())
	succeeded := order.RefundOutcome{Status: order.RefundSucceeded}
	found := order.GatewayRefund{ID: "re_" + string(refund), PaymentID: "pi", Status: order.RefundSucceeded, Amount: usd(1)}
	for name, call := range map[string]func() error{
		"book":           func() error { _, err := b.refunds.Book(ctx, goodwillOf("USD", o)); return err },
		"fence":          func() error { _, err := b.refunds.Fence(ctx, goodwillOf("USD", o), withdrawn); return err },
		"settle":         func() error { _, err := b.refunds.Settle(ctx, refund, succeeded); return err },
		"book outside":   func() error { _, err := b.refunds.BookOutside(ctx, o.ID, found); return err },
		"return units":   func() error { _, err := b.refunds.ReturnedUnits(ctx, refund, order.UnitsDone); return err },
		"finish":         func() error { _, err := b.refunds.Finish(ctx, refund, 1); return err },
		"look":           func() error { return b.refunds.Looked(ctx, refund) },
		"read a refund":  func() error { _, err := b.refunds.Refund(ctx, refund); return err },
		"note a dispute": func() error { return b.refunds.NoteDispute(ctx, disputeOf(o, "dp_unknown")) },
		"ship":           func() error { _, err := b.shipments.Ship(ctx, shipment(o, 1, 1)); return err },
		"deliver":        func() error { _, err := b.shipments.Arrive(ctx, parcel, order.Delivered); return err },
		"finish a shipment": func() error {
			_, err := b.shipments.FinishShipment(ctx, parcel, 1)
			return err
		},
		"read a shipment": func() error { _, err := b.shipments.Shipment(ctx, parcel); return err },
	} {
		if err := call(); !errors.Is(err, order.ErrNotFound) {
			t.Errorf("%s: %v, want order.ErrNotFound", name, err)
		}
	}
	for _, rows := range []int{
		len(must(b.refunds.OfOrder(ctx, o.ID))(t)), len(must(b.shipments.OfOrder(ctx, o.ID))(t)),
		len(must(b.refunds.Disputes(ctx, o.ID))(t)), len(must(b.refunds.Balances(ctx, []order.ID{o.ID}))(t)),
	} {
		if rows != 0 {
			t.Errorf("an unknown order has %d rows", rows)
		}
	}
}

func goodwillOf(currency string, o order.Order) order.RefundRequest {
	o.Total.Currency = currency
	return goodwill(o, 1)
}

func unstorableBooks(t *testing.T, b books) {
	const bad = "nul\x00 and \xff"
	o := sold(t, b)
	req := goodwill(o, 1)
	req.Subject, req.Reason, req.Message = bad, bad, bad
	r := b.book(t, req)
	r = must(b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{
		Status: order.RefundFailed, GatewayID: bad, Cause: &order.RefundCause{Reason: order.GatewayFailed, Message: bad},
	}))(t)
	if r.Status != order.RefundFailed {
		t.Errorf("got %+v", r)
	}
	parcel := shipment(o, 1, 1)
	parcel.Carrier, parcel.Tracking, parcel.Subject = bad, bad, bad
	b.ship(t, parcel)
	d := disputeOf(o, "dp_"+string(o.ID))
	d.Status, d.Reason = bad, bad
	if err := b.refunds.NoteDispute(t.Context(), d); err != nil {
		t.Error(err)
	}
}
