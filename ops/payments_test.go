package ops

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

const apiKey = gatewaytest.APIKey

// world is the orders' database and a gateway. A test makes them disagree.
type world struct {
	t        *testing.T
	rows     *postgres.Orders
	refunds  *postgres.Refunds
	payments *stripe.Payments
	gateway  *gatewaytest.Gateway
	url      string // of the gateway, for ops
	database string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, database: servicestest.Postgres(t)}
	pool := open(t, w.database)
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	w.rows, w.refunds = postgres.NewOrders(pool), postgres.NewRefunds(pool)
	log := slog.New(slog.DiscardHandler)
	w.gateway = gatewaytest.Start(t, gatewaytest.Ledger(t), log)
	w.url = w.gateway.URL
	var err error
	if w.payments, err = stripe.New(stripe.Config{URL: w.url, Key: apiKey}, log); err != nil {
		t.Fatal(err)
	}
	return w
}

func open(t *testing.T, database string) *pgxpool.Pool {
	t.Helper()
	db, err := pgdb.Open(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db.Pool
}

// run runs ops payments.
func (w *world) run(args ...string) result {
	w.t.Helper()
	environ := []string{"DATABASE_URL=" + w.database, "STRIPE_API_URL=" + w.url, "STRIPE_API_KEY=" + apiKey}
	got := run(w.t.Context(), environ, append([]string{"payments"}, args...)...)
	if strings.Contains(got.stdout+got.stderr, "sk_test_") {
		w.t.Errorf("the key is shown in: %s%s", got.stdout, got.stderr)
	}
	return got
}

// ops runs ops payments and returns the exit code and everything that it printed.
func (w *world) ops(args ...string) (int, string) {
	w.t.Helper()
	got := w.run(args...)
	return got.code, got.stdout + got.stderr
}

// found runs ops payments with --json and returns the differences.
func (w *world) found(args ...string) (int, []difference) {
	w.t.Helper()
	got := w.run(append(args, "--json", "--min-age=0")...)
	lines := jsonLines[struct {
		difference
		Summary *paymentCount
	}](w.t, got.stdout)
	var differences []difference
	for _, l := range lines[:len(lines)-1] {
		differences = append(differences, l.difference)
	}
	if last := lines[len(lines)-1].Summary; last == nil || last.Differences != len(differences) {
		w.t.Errorf("the summary of %d differences is %+v", len(differences), last)
	}
	return got.code, differences
}

// created stores a PENDING order.
func (w *world) created() order.Order {
	w.t.Helper()
	o, err := w.rows.Create(w.t.Context(), ordertest.NewOrder(42))
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// paid takes the money for an order like its saga.
func (w *world) paid(o order.Order) string {
	w.t.Helper()
	id, err := w.payments.Charge(w.t.Context(), o.Payment())
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) confirmed(o order.Order, paymentID string) {
	w.t.Helper()
	if _, err := w.rows.Confirm(w.t.Context(), o.ID, paymentID, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) failed(o order.Order) {
	w.t.Helper()
	if _, err := w.rows.Close(w.t.Context(), o.Request(), order.Cause{Reason: order.TimedOut}, nil); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.rows.Finish(w.t.Context(), o.ID, nil); err != nil {
		w.t.Fatal(err)
	}
}

// byHand takes money for an order behind the saga's back, and returns the payment's ID.
func (w *world) byHand(id order.ID) string {
	w.t.Helper()
	return w.gateway.PayByHand(string(id), "2997")
}

func TestEveryKindOfDifferenceIsFoundAndRepairedIfPossible(t *testing.T) {
	w := newWorld(t)
	usd := func(amount int64) money.Money { return money.Money{Amount: amount, Currency: "USD"} }
	var want []difference
	expect := func(k kind, o order.Order, status order.Status, payment string, kept int64) {
		d := difference{Kind: k, OrderID: o.ID, Status: status, Total: o.Total, PaymentID: payment, Kept: usd(kept)}
		if status == order.Confirmed {
			d.Expected = o.Total
		}
		want = append(want, d)
	}

	good := w.created()
	w.confirmed(good, w.paid(good))
	undone := w.created()
	w.paid(undone)
	w.failed(undone)
	if err := w.payments.Refund(t.Context(), undone.Payment()); err != nil {
		t.Fatal(err)
	}
	w.failed(w.created()) // never paid for

	late := w.created()
	w.failed(late)
	expect(moneyKept, late, order.Failed, w.byHand(late.ID), 2997)
	twice := w.created()
	w.confirmed(twice, w.paid(twice))
	expect(chargedTwice, twice, order.Confirmed, w.byHand(twice.ID), 2997)
	refunded := w.created()
	id := w.paid(refunded)
	w.confirmed(refunded, id)
	outside := w.gateway.RefundByHand(id, "1000")
	expect(refundNotBooked, refunded, order.Confirmed, id, 1997)
	want[len(want)-1].GatewayID, want[len(want)-1].Amount = outside, usd(1000)
	never := w.created()
	w.confirmed(never, "pi_never")
	expect(notPaid, never, order.Confirmed, "pi_never", 0)
	stuck := w.created()
	expect(unfinished, stuck, order.Pending, w.paid(stuck), 2997)
	stranger := ordertest.NewOrder(42)
	stranger.Total = money.Money{}
	expect(unknownOrder, stranger, "", w.byHand(stranger.ID), 2997)

	slices.SortFunc(want, func(a, b difference) int { return strings.Compare(string(a.OrderID), string(b.OrderID)) })
	for _, command := range []string{"check", "repair"} { // the latter dry
		if code, got := w.found(command); code != exitLeft || !cmp.Equal(want, got) {
			t.Errorf("%s: exit code %d, differences (-want +got):\n%s", command, code, cmp.Diff(want, got))
		}
	}

	code, got := w.found("repair", "--apply", "--operator=ann", "--reason=ticket 7")
	for i := range want {
		want[i].Repaired = want[i].Kind.repairable()
	}
	if diff := cmp.Diff(want, got); diff != "" || code != exitLeft {
		t.Errorf("repairing: exit code %d, differences (-want +got):\n%s", code, diff)
	}
	code, got = w.found("check")
	left := slices.DeleteFunc(want, func(d difference) bool { return d.Repaired })
	if diff := cmp.Diff(left, got); diff != "" || code != exitLeft {
		t.Errorf("afterwards: exit code %d, differences (-want +got):\n%s", code, diff)
	}
	for _, o := range []order.Order{late, twice} {
		timeline, err := w.rows.Timeline(t.Context(), o.ID)
		last := timeline[len(timeline)-1]
		if err != nil || last.Type != order.EntryRefunded || !strings.Contains(last.Detail, "ann gave back 29.97 USD") {
			t.Errorf("the timeline of order %s ends with %+v, %v", o.ID, last, err)
		}
	}
}

func TestNothingDiffers(t *testing.T) {
	w := newWorld(t)
	for range order.MaxPage + 5 { // more than a page of orders and of payments
		o := w.created()
		w.confirmed(o, w.paid(o))
	}
	stuck := w.created()
	w.paid(stuck)
	code, text := w.ops("check", "--min-age=1h")
	if code != exitDone || !strings.Contains(text, "differences: 0") {
		t.Errorf("all orders are young: exit code %d, %s", code, text)
	}
	w.failed(stuck)
	if err := w.payments.Refund(t.Context(), stuck.Payment()); err != nil {
		t.Fatal(err)
	}
	code, text = w.ops("check", "--min-age=0")
	want := "nothing differs\ncompared 106 orders (refunded in part or in full: 0) and 106 payments; differences: 0, left: 0\n"
	if code != exitDone || text != want {
		t.Errorf("exit code %d, %q; want %q", code, text, want)
	}
	code, text = w.ops("check", "--since=1h", "--min-age=0")
	if code != exitDone || !strings.Contains(text, "compared 106 orders (refunded in part or in full: 0) and 106 payments;") {
		t.Errorf("the last hour: exit code %d, %s", code, text)
	}
}

func TestTableSaysWhatCanBeDone(t *testing.T) {
	w := newWorld(t)
	o := w.created()
	w.failed(o)
	id := w.byHand(o.ID)
	_, text := w.ops("check", "--min-age=0")
	for _, part := range []string{
		"MONEY_KEPT", "FAILED", string(o.ID), id, "29.97 USD", "repair gives it back", "differences: 1, left: 1",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
	code, text := w.ops("repair", "--min-age=0", "--apply", "--operator=ann", "--reason=late")
	if code != exitDone || !strings.Contains(text, "given back") {
		t.Errorf("repaired: exit code %d\n%s", code, text)
	}
}

func TestRefundThatFailsIsLeftAndSaysWhy(t *testing.T) {
	w := newWorld(t)
	o := w.created()
	w.failed(o)
	d := []difference{{Kind: moneyKept, OrderID: o.ID, PaymentID: w.byHand(o.ID)}}
	b := books{orders: w.rows, payments: refuses{w.payments}, now: time.Now()}
	b.repair(t.Context(), change{Apply: true, Operator: "ann", Reason: "late"}, d)
	if d[0].Repaired || d[0].outcome("") != "failed: no refunds today" {
		t.Errorf("the difference is now %+v", d[0])
	}
}

// refuses is a gateway that gives nothing back.
type refuses struct{ payments }

func (refuses) GiveBack(context.Context, order.ID, string) error {
	return errors.New("no refunds today")
}

func TestUnreachableGatewayIsNotAgreement(t *testing.T) {
	w := newWorld(t)
	w.url = "http://127.0.0.1:1"
	if code, text := w.ops("check"); code != exitIncomplete || !strings.Contains(text, "connection refused") {
		t.Errorf("exit code %d: %s", code, text)
	}
}
