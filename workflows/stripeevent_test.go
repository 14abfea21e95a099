package workflows_test

import (
	"context"
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
		"confirmed, and refunded by hand: noted": {
			order: "confirmed", paymentID: own, refunded: 100, want: workflows.SettledNoted, note: "1.00 USD of 29.97 USD",
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
			for range 2 { // the second time as after a reset
				got := settleEvent(t, g, rows)
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

func settleEvent(t *testing.T, g *till, rows *ordertest.Memory) workflows.StripeEventResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivity(&activities.Settlement{Payments: g, Orders: rows})
	event := order.PaymentEvent{ID: "evt_1", Type: order.PaymentSucceeded, PaymentID: g.payment.ID}
	env.ExecuteWorkflow(workflows.StripeEvent, event)
	var got workflows.StripeEventResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	return got
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
