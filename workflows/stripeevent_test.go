package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/workflows"
)

// till is a gateway that has one payment and breaks first at every call.
type till struct {
	events    int // how many it has sent
	payment   order.GatewayPayment
	asked     int
	gaveBack  int
	forgotten bool
}

func (g *till) Payment(context.Context, string) (order.GatewayPayment, error) {
	if g.asked++; g.asked == 1 {
		return order.GatewayPayment{}, errBroken
	}
	if g.forgotten {
		return order.GatewayPayment{}, order.ErrPaymentNotFound
	}
	return g.payment, nil
}

func (g *till) GiveBack(context.Context, order.ID, string) error {
	g.payment.Refunded = g.payment.Captured
	if g.gaveBack++; g.gaveBack == 1 {
		return errBroken // it took effect, and the response is lost
	}
	return nil
}

// RefundsOf returns one refund that was made at the gateway, if any money was given back.
func (g *till) RefundsOf(context.Context, string) ([]order.GatewayRefund, error) {
	if g.payment.Refunded == 0 {
		return nil, nil
	}
	amount := money.Money{Amount: g.payment.Refunded, Currency: g.payment.Currency}
	return []order.GatewayRefund{{ID: "re_1", PaymentID: g.payment.ID, Status: order.RefundSucceeded, Amount: amount}}, nil
}

// DisputesOf returns none.
func (*till) DisputesOf(context.Context, string) ([]order.Dispute, error) { return nil, nil }

// RefundsSince returns one refund of the payment.
func (g *till) RefundsSince(ctx context.Context, _ time.Time, _ string) ([]order.GatewayRefund, string, error) {
	found, err := g.RefundsOf(ctx, g.payment.ID)
	return found, "", err
}

// outsideBooks records the refunds that were made at the gateway, and which refunds were resumed.
type outsideBooks struct {
	activities.RefundBooks
	booked, resumed []string
}

func (b *outsideBooks) BookOutside(_ context.Context, id order.ID, found order.GatewayRefund) (order.Refund, error) {
	b.booked = append(b.booked, found.ID)
	return order.Refund{ID: order.RefundID("refund of " + found.ID), OrderID: id}, nil
}

func (*outsideBooks) Pending(context.Context, time.Duration, int) ([]order.Refund, error) {
	return nil, nil
}

func (b *outsideBooks) ResumeRefund(_ context.Context, req order.RefundRequest) error {
	b.resumed = append(b.resumed, string(req.ID))
	return nil
}

func TestPaymentEventIsSettledByThePaymentAndTheOrder(t *testing.T) {
	t.Parallel()
	const own, other = "pi_own", "pi_other"
	ends := map[string]func(*ordertest.Memory, order.Order) error{
		"pending": func(*ordertest.Memory, order.Order) error { return nil },
		"confirmed": func(m *ordertest.Memory, o order.Order) error {
			_, err := m.Confirm(t.Context(), o.ID, own, nil)
			return err
		},
		"failed": func(m *ordertest.Memory, o order.Order) error {
			if _, err := m.Close(t.Context(), o.Request(), order.Cause{Reason: order.TimedOut}, nil); err != nil {
				return err
			}
			_, err := m.Finish(t.Context(), o.ID, nil)
			return err
		},
	}
	for name, test := range map[string]struct {
		order     string // how it ended; "" when there is none
		paymentID string
		refunded  int64
		event     order.PaymentEventType // default: the payment succeeded
		foreign   bool
		forgotten bool
		want      workflows.Settled
		note      string // part of what the timeline says; "" when nothing
	}{
		"paid for an order that failed: given back": {
			order: "failed", paymentID: other, want: workflows.SettledGaveBack, note: "gave back 29.97 USD",
		},
		"paid and given back for an order that failed": {
			order: "failed", paymentID: other, refunded: 2997, want: workflows.SettledNothing,
		},
		"paid for the order that it confirmed": {order: "confirmed", paymentID: own, want: workflows.SettledNothing},
		"paid a second time for a confirmed order: given back": {
			order: "confirmed", paymentID: other, want: workflows.SettledGaveBack, note: "gave back 29.97 USD",
		},
		"confirmed, and refunded by hand: booked": {
			order: "confirmed", paymentID: own, refunded: 100, event: order.PaymentRefunded, want: workflows.SettledBooked,
		},
		"the order is under way: left to its saga": {order: "pending", paymentID: own, want: workflows.SettledLeft},
		"no such order":               {paymentID: other, want: workflows.SettledForeign},
		"a payment of something else": {order: "failed", paymentID: other, foreign: true, want: workflows.SettledForeign},
		"a payment that the gateway does not know": {
			order: "failed", paymentID: other, forgotten: true, want: workflows.SettledForeign,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, o := ordertest.NewMemory(time.Now), ordertest.NewOrder(42)
			if end, ok := ends[test.order]; ok {
				if _, err := rows.Create(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				if err := end(rows, o); err != nil {
					t.Fatal(err)
				}
			}
			g := &till{forgotten: test.forgotten, payment: order.GatewayPayment{
				ID: test.paymentID, OrderID: o.ID, Captured: o.Total.Amount, Refunded: test.refunded, Currency: "USD",
			}}
			if test.foreign {
				g.payment.OrderID = ""
			}
			for range 2 { // the gateway sends several events about one payment
				books := &outsideBooks{}
				kind := order.PaymentSucceeded
				if test.event != "" {
					kind = test.event
				}
				got := settleEvent(t, g, rows, books, kind)
				if test.want == workflows.SettledBooked && (len(books.booked) != 1 || len(books.resumed) != 1) {
					t.Errorf("booked %v, resumed %v; want one of each", books.booked, books.resumed)
				}
				if got.Settled != test.want && (got.Settled != workflows.SettledNothing || g.gaveBack == 0) {
					t.Errorf("settled as %s, want %s", got.Settled, test.want)
				}
			}
			wantNote(t, rows, o.ID, test.note)
			if test.want == workflows.SettledGaveBack && g.payment.Kept() != (money.Money{Currency: "USD"}) {
				t.Errorf("the gateway keeps %s", g.payment.Kept())
			}
			if test.want != workflows.SettledGaveBack && g.gaveBack > 0 {
				t.Error("money was given back")
			}
		})
	}
}

// TestARefundDuringTheSagaWaitsForTheOrdersEnd: only then is it known whether the refund is the saga's own.
func TestARefundDuringTheSagaWaitsForTheOrdersEnd(t *testing.T) {
	t.Parallel()
	rows, o := ordertest.NewMemory(time.Now), ordertest.NewOrder(42)
	if _, err := rows.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	g := &till{payment: order.GatewayPayment{ID: "pi_own", OrderID: o.ID, Captured: 2997, Refunded: 100, Currency: "USD"}}
	books := &outsideBooks{}
	looks := 0
	confirmed := looking{rows, func() {
		if looks++; looks == 4 {
			if _, err := rows.Confirm(t.Context(), o.ID, "pi_own", nil); err != nil {
				t.Error(err)
			}
		}
	}}
	got := settleEvent(t, g, confirmed, books, order.PaymentRefunded)
	if got.Settled != workflows.SettledBooked || len(books.booked) != 1 || looks != 4 {
		t.Errorf("settled as %s after %d looks, booked %v", got.Settled, looks, books.booked)
	}
}

// looking calls look before each look at an order.
type looking struct {
	*ordertest.Memory
	look func()
}

func (l looking) Order(ctx context.Context, id order.ID) (order.Order, error) {
	l.look()
	return l.Memory.Order(ctx, id)
}

func TestTheWholeAccountIsListedOnceADay(t *testing.T) {
	t.Parallel()
	rows, o := ordertest.NewMemory(time.Now), ordertest.NewOrder(42)
	if _, err := rows.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Confirm(t.Context(), o.ID, "pi_own", nil); err != nil {
		t.Fatal(err)
	}
	g := &till{payment: order.GatewayPayment{ID: "pi_own", OrderID: o.ID, Captured: 2997, Refunded: 100, Currency: "USD"}}
	books := &outsideBooks{}
	follow := func(last *workflows.FollowRefundsResult) (got workflows.FollowRefundsResult) {
		env := newEnvironment(g, rows, books)
		if last != nil {
			env.SetLastCompletionResult(last)
		}
		env.ExecuteWorkflow(workflows.FollowRefunds)
		if err := env.GetWorkflowResult(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := follow(nil)
	if len(books.booked) != 1 {
		t.Errorf("the first run booked %v, want the one refund", books.booked)
	}
	if second := follow(&first); second != first || len(books.booked) != 1 {
		t.Errorf("the second run: %v, booked %v", second, books.booked)
	}
	first.AccountListed = first.AccountListed.Add(-25 * time.Hour)
	if follow(&first); len(books.booked) != 2 {
		t.Errorf("a day later: booked %v", books.booked)
	}
}

func newEnvironment(g *till, rows activities.OrderTimelines, books *outsideBooks) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivity(&activities.Settlement{Payments: g, Orders: rows})
	env.RegisterActivity(&activities.Following{Gateway: g, Payments: g, Books: books, Orders: rows, Workflows: books})
	return env
}

func settleEvent(
	t *testing.T, g *till, rows activities.OrderTimelines, books *outsideBooks, kind order.PaymentEventType,
) workflows.StripeEventResult {
	t.Helper()
	env := newEnvironment(g, rows, books)
	g.events++
	event := order.PaymentEvent{ID: fmt.Sprintf("evt_%d", g.events), Type: kind, PaymentID: g.payment.ID}
	env.ExecuteWorkflow(workflows.StripeEvent, event)
	var got workflows.StripeEventResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// Two events about one payment may both find it kept, and both give it back. That is one fact.
func TestWhatTwoEventsFindAtOnceIsNotedOnce(t *testing.T) {
	t.Parallel()
	rows, o := ordertest.NewMemory(time.Now), ordertest.NewOrder(42)
	if _, err := rows.Close(t.Context(), o.Request(), order.Cause{Reason: order.TimedOut}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Finish(t.Context(), o.ID, nil); err != nil {
		t.Fatal(err)
	}
	g := &till{payment: order.GatewayPayment{ID: "pi_1", OrderID: o.ID, Captured: o.Total.Amount, Currency: "USD"}}
	for range 2 {
		g.payment.Refunded = 0 // each looks before the other has given it back
		if got := settleEvent(t, g, rows, &outsideBooks{}, order.PaymentSucceeded); got.Settled != workflows.SettledGaveBack {
			t.Errorf("settled as %s", got.Settled)
		}
	}
	wantNote(t, rows, o.ID, "gave back 29.97 USD")
}

// wantNote checks that the timeline has one refund whose detail contains the text, or none when it is empty.
func wantNote(t *testing.T, rows *ordertest.Memory, id order.ID, text string) {
	t.Helper()
	timeline, _ := rows.Timeline(t.Context(), id)
	var notes []string
	for _, r := range timeline {
		if r.Type == order.EntryRefunded {
			notes = append(notes, r.Detail)
		}
	}
	if text == "" {
		if diff := cmp.Diff([]string(nil), notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		return
	}
	if len(notes) != 1 || !strings.Contains(notes[0], text) {
		t.Errorf("notes %q, want one that contains %q", notes, text)
	}
}
