package ops

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

var apply = []string{"repair", "--apply", "--operator=ann", "--reason=ticket 7"}

// bought is a paid and confirmed order of 29.97 USD.
func (w *world) bought() order.Order {
	w.t.Helper()
	o := w.created()
	w.confirmed(o, w.paid(o))
	o, err := w.rows.Order(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// booked books a refund of 10.00 USD. change may make it another one.
func (w *world) booked(o order.Order, change ...func(*order.RefundRequest)) order.Refund {
	w.t.Helper()
	req := order.RefundRequest{
		ID: order.RefundID(ordertest.NewOrder(42).ID), OrderID: o.ID, Kind: order.Goodwill, By: order.ByOperator,
		Money: order.ThroughGateway, Amount: money.Money{Amount: 1000, Currency: "USD"}, Hash: "x",
	}
	for _, c := range change {
		c(&req)
	}
	r, err := w.refunds.Book(w.t.Context(), req)
	if err != nil || r.Status != order.RefundBooked {
		w.t.Fatalf("booked as %s, %v, %v", r.Status, r.Cause, err)
	}
	return r
}

// asked has the gateway give a refund back. The books do not know what it said.
func (w *world) asked(r order.Refund) order.RefundOutcome {
	w.t.Helper()
	outcome, err := w.payments.RefundPart(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome
}

func (w *world) settled(r order.Refund, outcome order.RefundOutcome) {
	w.t.Helper()
	if _, err := w.refunds.Settle(w.t.Context(), r.ID, outcome); err != nil {
		w.t.Fatal(err)
	}
}

// refunded books a refund and has it given back.
func (w *world) refunded(o order.Order, change ...func(*order.RefundRequest)) order.Refund {
	w.t.Helper()
	r := w.booked(o, change...)
	w.settled(r, w.asked(r))
	return r
}

// finds checks what a run finds: "KIND outcome" of each difference.
func (w *world) finds(code int, args []string, want ...string) {
	w.t.Helper()
	gotCode, differences := w.found(args...)
	var got []string
	for _, d := range differences {
		got = append(got, string(d.Kind)+" "+d.outcome("repair"))
	}
	slices.Sort(got)
	if gotCode != code || !slices.Equal(got, want) {
		w.t.Errorf("%q: exit code %d, %q; want %d, %q", args, gotCode, got, code, want)
	}
}

// told returns the details of an order's entries of a type.
func (w *world) told(id order.ID, t order.EntryType) (details []string) {
	w.t.Helper()
	timeline, err := w.rows.Timeline(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range timeline {
		if e.Type == t {
			details = append(details, e.Detail)
		}
	}
	return details
}

func paidByOtherMeans(r *order.RefundRequest) { r.Money = order.ByOtherMeans }

func TestRefundsThatTheBooksHaveAreNoDifference(t *testing.T) {
	w := newWorld(t)
	w.refunded(w.bought())
	w.booked(w.bought()) // the gateway was not asked
	refused := w.bought()
	w.settled(w.booked(refused), order.RefundOutcome{Status: order.RefundRefused})
	other := w.bought()
	w.settled(w.booked(other, paidByOtherMeans), order.RefundOutcome{Status: order.RefundSucceeded})
	pending := w.bought()
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultRefundStatus, Status: "pending"})
	w.refunded(pending)
	code, text := w.ops("check", "--min-age=0")
	want := "nothing differs\ncompared 5 orders (refunded in part or in full: 2) and"
	if code != exitDone || !strings.HasPrefix(text, want) {
		t.Errorf("exit code %d, %q; want %q", code, text, want)
	}
}

func TestRefundMadeAtTheGatewayIsBooked(t *testing.T) {
	w := newWorld(t)
	o := w.bought()
	id := w.gateway.RefundByHand(o.PaymentID, "1000")
	w.finds(exitLeft, []string{"check"}, "REFUND_NOT_BOOKED repair books it")
	w.finds(exitDone, apply, "REFUND_NOT_BOOKED booked")
	w.finds(exitDone, []string{"check"})
	rows, err := w.refunds.OfOrder(t.Context(), o.ID)
	if err != nil || len(rows) != 1 || rows[0].GatewayID != id || rows[0].Kind != order.Outside ||
		rows[0].Status != order.RefundSucceeded {
		t.Errorf("the rows are %+v, %v", rows, err)
	}
	want := fmt.Sprintf("repair by ann: ticket 7 (to book refund %s of 10.00 USD as the gateway has it: SUCCEEDED)", id)
	if told := w.told(o.ID, order.EntryCommand); !slices.Equal(told, []string{want}) {
		t.Errorf("the timeline tells %q, want %q", told, want)
	}
	w.gateway.ChangeRefund(id, "failed")
	w.finds(exitLeft, []string{"check"}, "REFUND_CHANGED repair books it")
	w.finds(exitDone, apply, "REFUND_CHANGED booked")
	w.finds(exitLeft, []string{"check"}, "OWED by hand")
}

func TestRefundThatFailsLaterIsOwedUntilAnotherReplacesIt(t *testing.T) {
	w := newWorld(t)
	o := w.bought()
	r := w.booked(o)
	outcome := w.asked(r)
	w.finds(exitLeft, []string{"check"}, "REFUND_CHANGED repair books it") // the worker was lost
	w.finds(exitDone, apply, "REFUND_CHANGED booked")
	w.finds(exitDone, []string{"check"})
	w.gateway.ChangeRefund(outcome.GatewayID, "failed")
	w.finds(exitLeft, []string{"check"}, "REFUND_CHANGED repair books it")
	w.finds(exitDone, apply, "REFUND_CHANGED booked")
	w.finds(exitLeft, apply, "OWED by hand")
	again := w.booked(o, paidByOtherMeans, func(req *order.RefundRequest) { req.Replaces = r.ID })
	w.settled(again, order.RefundOutcome{Status: order.RefundSucceeded})
	w.finds(exitDone, []string{"check"})
}

func TestRefundOfWhichTheStatusIsFinalIsLeft(t *testing.T) {
	w := newWorld(t)
	r := w.booked(w.bought())
	w.asked(r)
	w.settled(r, order.RefundOutcome{Status: order.RefundFailed})
	w.finds(exitLeft, apply, "OWED by hand", "REFUND_CHANGED failed: the books have it as FAILED, which is final")
}

func TestWhatNoRefundExplainsIsToldApart(t *testing.T) {
	w := newWorld(t)
	o := w.bought()
	w.settled(w.booked(o), order.RefundOutcome{Status: order.RefundSucceeded}) // the gateway has none
	w.finds(exitLeft, []string{"check"}, "WRONG_AMOUNT by hand")
	w.gateway.RefundByHand(o.PaymentID, "300")
	w.finds(exitLeft, apply, "REFUND_NOT_BOOKED booked", "WRONG_AMOUNT by hand")
	w.finds(exitLeft, []string{"check"}, "WRONG_AMOUNT by hand")
}

func TestSkippedUnitsAreANote(t *testing.T) {
	w := newWorld(t)
	r := w.refunded(w.bought(), func(req *order.RefundRequest) {
		req.Kind, req.Amount, req.Items = order.Return, money.Money{}, []order.RefundItem{{Line: 1, Quantity: 1, Restock: 1}}
	})
	if _, err := w.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsSkipped); err != nil {
		t.Fatal(err)
	}
	w.finds(exitDone, []string{"check"}, "UNITS_SKIPPED note")
	_, text := w.ops("check", "--min-age=0")
	if !strings.Contains(text, string(r.ID)) || !strings.Contains(text, "UNITS_SKIPPED: An operator") {
		t.Errorf("the refund or the meaning is missing in:\n%s", text)
	}
}

func TestOrdersWithARefundAtWorkAreLeftOut(t *testing.T) {
	w := newWorld(t)
	o := w.bought()
	between := time.Now()
	w.asked(w.booked(o)) // and not settled yet
	nothing := func(int) {}
	b := books{w.rows, w.refunds, w.payments, between.Add(time.Hour), nothing, nothing}
	for age, want := range map[time.Duration]int{time.Hour: 0, 0: 1} {
		c, err := b.compare(t.Context(), 0, age)
		if err != nil || c.orders != 1 || len(c.differences) != want {
			t.Errorf("older than %s: %+v, %v; want %d differences", age, c, err, want)
		}
	}
}

// The timeline of an order whose refund the gateway answered with 500 said that the money was given back.
func TestOnlyWhatTheGatewayConfirmedIsTold(t *testing.T) {
	w := newWorld(t)
	o := w.created()
	w.failed(o)
	w.byHand(o.ID)
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultErrorBefore, Operation: "refund"})
	code, differences := w.found(apply...)
	if code != exitLeft || len(differences) != 1 || differences[0].Repaired || differences[0].Problem == "" {
		t.Errorf("the gateway answers 500: exit code %d, %+v", code, differences)
	}
	if asked, told := w.told(o.ID, order.EntryCommand), w.told(o.ID, order.EntryRefunded); len(asked) != 1 || len(told) != 0 {
		t.Errorf("the timeline tells that %q was asked for and %q refunded", asked, told)
	}
	w.gateway.SetFaults()
	w.finds(exitDone, apply, "MONEY_KEPT given back")
	w.finds(exitDone, apply)
	if asked, told := w.told(o.ID, order.EntryCommand), w.told(o.ID, order.EntryRefunded); len(asked) != 2 || len(told) != 1 {
		t.Errorf("the timeline tells that %q was asked for and %q refunded", asked, told)
	}
}

// promises is a gateway that accepts refunds and keeps the money.
type promises struct{ payments }

func (promises) GiveBack(context.Context, order.ID, string) error { return nil }

func TestMoneyThatTheGatewayStillKeepsIsNotToldAsGivenBack(t *testing.T) {
	w := newWorld(t)
	o := w.created()
	w.failed(o)
	d := []difference{{Kind: moneyKept, OrderID: o.ID, PaymentID: w.byHand(o.ID)}}
	b := books{orders: w.rows, refunds: w.refunds, payments: promises{w.payments}, now: time.Now()}
	b.repair(t.Context(), change{Apply: true, Operator: "ann", Reason: "late"}, d)
	if d[0].Repaired || !strings.Contains(d[0].Problem, "still keeps 29.97 USD") || len(w.told(o.ID, order.EntryRefunded)) != 0 {
		t.Errorf("the difference is now %+v", d[0])
	}
}

func TestOneOrderIsExplained(t *testing.T) {
	w := newWorld(t)
	charged := w.created()
	w.failed(charged)
	payment := w.byHand(charged.ID)
	o := w.bought()
	r := w.refunded(o)
	outside := w.gateway.RefundByHand(o.PaymentID, "100")
	for _, tt := range []struct {
		id   order.ID
		code int
		want []string
	}{
		{charged.ID, exitLeft, []string{
			fmt.Sprintf("order %s is FAILED: the total is 29.97 USD, and the gateway should keep 0.00 USD\n", charged.ID),
			fmt.Sprintf("payment %s: taken 29.97 USD, given back 0.00 USD, kept 29.97 USD\n", payment),
			"MONEY_KEPT: The order is FAILED or CANCELLED", "compared 1 orders", "and 1 payments; differences: 1",
		}},
		{o.ID, exitLeft, []string{
			"is CONFIRMED: the total is 29.97 USD, and the gateway should keep 19.97 USD\n",
			fmt.Sprintf("payment %s: taken 29.97 USD, given back 11.00 USD, kept 18.97 USD\n", o.PaymentID),
			fmt.Sprintf("refund %s: GOODWILL, money GATEWAY, 10.00 USD, SUCCEEDED, not at rest yet\n", r.ID),
			fmt.Sprintf("refund %s at the gateway: 1.00 USD, SUCCEEDED\n", outside), "REFUND_NOT_BOOKED", "differences: 1",
		}},
		{ordertest.NewOrder(42).ID, exitLeft, []string{"there is no order"}},
	} {
		code, text := w.ops("check", string(tt.id))
		for _, part := range tt.want {
			if code != tt.code || !strings.Contains(text, part) {
				t.Errorf("exit code %d, want %d; %q is missing in:\n%s", code, tt.code, part, text)
			}
		}
	}
	if code, text := w.ops(append(apply, string(o.ID))...); code != exitDone || !strings.Contains(text, "booked") {
		t.Errorf("repaired: exit code %d\n%s", code, text)
	}
	if got := w.gateway.Money(string(charged.ID)).Net; got != 2997 {
		t.Errorf("the repair of one order changed another, of which the gateway keeps %d", got)
	}
	got := w.run("check", "--json", string(o.ID))
	if !strings.HasPrefix(got.stdout, `{"account":{`) || got.code != exitDone {
		t.Errorf("exit code %d\n%s", got.code, got.stdout)
	}
}

func TestEveryKindIsExplainedInTheHelpAndInTheRunbook(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	help := strings.Join(strings.Fields(run(t.Context(), nil, "payments", "check", "--help").stdout), " ")
	for _, i := range kinds {
		if !strings.Contains(help, string(i.kind)+": "+i.meaning) {
			t.Errorf("the help does not say: %s: %s\n%s", i.kind, i.meaning, help)
		}
		does := strings.TrimSpace("Repair " + i.does)
		if i.does == "" {
			does = "By hand"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s", i.kind, i.meaning, does); !strings.Contains(string(runbook), row) {
			t.Errorf("the runbook does not say: %s", row)
		}
	}
}
