package stripe_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// contract is what the adapter guarantees over every stateful gateway, the simulator and the real one alike. It includes what
// the fake in the saga's tests guarantees. It uses only the adapter itself, because the real gateway offers nothing else.
// happen lets happen at the gateway what happens there by itself.
func contract(t *testing.T, payments *stripe.Payments, happen func()) {
	t.Helper()
	began := time.Now().Add(-time.Minute)
	t.Run("the key is accepted", func(t *testing.T) {
		t.Parallel()
		if err := payments.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	sagaContract(t, payments)
	refundContract(t, payments, happen)
	t.Run("refunds of the account are listed, newest first", func(t *testing.T) {
		t.Parallel()
		first, second := taken(t, payments, "pm_card_visa", 300), taken(t, payments, "pm_card_visa", 400)
		var want []order.RefundID
		for _, r := range []order.Refund{first, second} {
			if _, err := payments.RefundPart(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			want = append([]order.RefundID{r.ID}, want...)
		}
		var got []order.RefundID
		page := ""
		for begin := true; begin || page != ""; begin = false {
			found, next, err := payments.RefundsSince(t.Context(), began, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range found {
				if r.RefundID == first.ID || r.RefundID == second.ID {
					got = append(got, r.RefundID)
				}
			}
			page = next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	})
	t.Run("payments are listed with their orders", func(t *testing.T) {
		t.Parallel()
		p := newPayment("pm_card_visa")
		id, err := payments.Charge(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := payments.GiveBack(t.Context(), p.OrderID, id); err != nil {
			t.Fatal(err)
		}
		want := order.GatewayPayment{ID: id, OrderID: p.OrderID, Captured: 1299, Refunded: 1299, Currency: "USD"}
		for got, err := range payments.PaymentsSince(t.Context(), began) {
			if err != nil {
				t.Fatal(err)
			}
			if got.ID == id {
				got.CreatedAt = time.Time{}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("listed (-want +got):\n%s", diff)
				}
				return
			}
		}
		t.Error("the payment is not listed")
	})
	t.Run("an unknown payment is not found", func(t *testing.T) {
		t.Parallel()
		if got, err := payments.Payment(t.Context(), "pi_unknown"); !errors.Is(err, order.ErrPaymentNotFound) {
			t.Errorf("%+v, %v; want ErrPaymentNotFound", got, err)
		}
	})
}

// sagaPayments is what an order's saga calls at the gateway, and how this test reads the gateway's books.
type sagaPayments interface {
	Charge(ctx context.Context, p order.Payment) (paymentID string, err error)
	Refund(ctx context.Context, p order.Payment) error
	Payment(ctx context.Context, paymentID string) (order.GatewayPayment, error)
}

// sagaContract is what a saga relies on, over the adapter and over the fake in the saga's tests alike. It looks only at its
// own payments.
func sagaContract(t *testing.T, payments sagaPayments) {
	kept := func(t *testing.T, id string, captured, refunded int64) {
		t.Helper()
		got, err := payments.Payment(t.Context(), id)
		if err != nil || got.Captured != captured || got.Refunded != refunded {
			t.Errorf("%+v, %v; want %d captured and %d refunded", got, err, captured, refunded)
		}
	}
	refund := func(t *testing.T, p order.Payment) {
		t.Helper()
		if err := payments.Refund(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
	refused := func(t *testing.T, p order.Payment, code string) {
		t.Helper()
		_, err := payments.Charge(t.Context(), p)
		wantRefused(t, err, code)
	}
	t.Run("a payment is taken once, given back once, and refused afterwards", func(t *testing.T) {
		t.Parallel()
		p := newPayment("pm_card_visa")
		first, err := payments.Charge(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := payments.Charge(t.Context(), p); err != nil || again != first {
			t.Errorf("charged again: %q, %v; want %q", again, err, first)
		}
		kept(t, first, 1299, 0)
		for range 2 {
			refund(t, p)
		}
		kept(t, first, 1299, 1299)
		refused(t, p, "payment_refunded")
	})
	t.Run("an undo that comes first refuses the late charge", func(t *testing.T) {
		t.Parallel()
		p := newPayment("pm_card_visa")
		refund(t, p)
		refused(t, p, "payment_cancelled")
	})
	t.Run("declines are refusals, each time", func(t *testing.T) {
		t.Parallel()
		for method, code := range ordertest.Declines {
			p := newPayment(method)
			for range 2 {
				refused(t, p, code)
			}
			refund(t, p)
		}
	})
	t.Run("a payment of nothing cannot be undone", func(t *testing.T) {
		t.Parallel()
		p := newPayment("pm_card_visa")
		p.Amount.Amount = 0
		if err := payments.Refund(t.Context(), p); err == nil {
			t.Error("it was undone")
		}
	})
}

// refundPayments is what the refunds of confirmed orders call at the gateway.
type refundPayments interface {
	sagaPayments
	RefundPart(ctx context.Context, r order.Refund) (order.RefundOutcome, error)
	FindRefund(ctx context.Context, r order.Refund) (outcome order.RefundOutcome, found bool, err error)
	RefundsOf(ctx context.Context, paymentID string) ([]order.GatewayRefund, error)
	DisputesOf(ctx context.Context, paymentID string) ([]order.Dispute, error)
}

// taken charges 12.99 USD and returns a refund of part of it, booked now.
func taken(t *testing.T, payments sagaPayments, method string, amount int64) order.Refund {
	t.Helper()
	p := newPayment(method)
	id, err := payments.Charge(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return another(order.Refund{OrderID: p.OrderID, PaymentID: id}, amount)
}

// another returns a second refund of the same payment.
func another(r order.Refund, amount int64) order.Refund {
	return order.Refund{
		ID: order.RefundID(uuid.NewString()), OrderID: r.OrderID, PaymentID: r.PaymentID, CreatedAt: time.Now(),
		Amount: money.Money{Amount: amount, Currency: "USD"},
	}
}

// refundContract is what the refunds of confirmed orders rely on.
func refundContract(t *testing.T, payments refundPayments, happen func()) {
	ask := func(t *testing.T, r order.Refund) order.RefundOutcome {
		t.Helper()
		outcome, err := payments.RefundPart(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	refused := func(t *testing.T, r order.Refund, reasons ...order.RefundReason) {
		t.Helper()
		outcome := ask(t, r)
		if outcome.Status != order.RefundRefused || outcome.Cause == nil || !slices.Contains(reasons, outcome.Cause.Reason) ||
			outcome.Cause.By != order.RefusedByGateway {
			t.Errorf("%+v, want refused: %v", outcome, reasons)
		}
		if _, found, err := payments.FindRefund(t.Context(), r); found || err != nil {
			t.Errorf("a refused refund is found: %t, %v", found, err)
		}
	}
	becomes := func(t *testing.T, r order.Refund, want order.RefundStatus) (outcome order.RefundOutcome) {
		t.Helper()
		servicestest.Eventually(t, time.Minute, "the refund is "+string(want), func() bool {
			happen()
			found, ok, err := payments.FindRefund(t.Context(), r)
			outcome = found
			return err == nil && ok && found.Status == want
		})
		return outcome
	}
	t.Run("parts are refunded once each, and listed", func(t *testing.T) {
		t.Parallel()
		first := taken(t, payments, "pm_card_visa", 300)
		second := another(first, 999)
		var want []order.GatewayRefund
		for _, r := range []order.Refund{first, second} {
			outcome := ask(t, r)
			if outcome.Status != order.RefundSucceeded || outcome.GatewayID == "" {
				t.Errorf("%+v", outcome)
			}
			if diff := cmp.Diff(outcome, ask(t, r)); diff != "" {
				t.Errorf("asked again (-first +again):\n%s", diff)
			}
			want = append(want, order.GatewayRefund{ID: outcome.GatewayID, PaymentID: r.PaymentID, OrderID: r.OrderID, RefundID: r.ID,
				Status: order.RefundSucceeded, Amount: r.Amount})
		}
		got, err := payments.RefundsOf(t.Context(), first.PaymentID)
		for i := range got {
			got[i].CreatedAt = time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		p, err := payments.Payment(t.Context(), first.PaymentID)
		if err != nil || p.Captured != 1299 || p.Refunded != 1299 {
			t.Errorf("the payment: %+v, %v", p, err)
		}
		refused(t, another(first, 1), order.AlreadyRefunded)
	})
	t.Run("no more is refunded than was taken", func(t *testing.T) {
		t.Parallel()
		r := taken(t, payments, "pm_card_visa", 1000)
		ask(t, r)
		refused(t, another(r, 300), order.GatewayRefused)
		if outcome := ask(t, another(r, 299)); outcome.Status != order.RefundSucceeded {
			t.Errorf("what is left: %+v", outcome)
		}
	})
	t.Run("a refund that waits", func(t *testing.T) {
		t.Parallel()
		r := taken(t, payments, "pm_card_pendingRefund", 300)
		if outcome := ask(t, r); outcome.Status != order.RefundPending {
			t.Errorf("at first %+v, want PENDING", outcome)
		}
		becomes(t, r, order.RefundSucceeded)
	})
	t.Run("a refund that fails later", func(t *testing.T) {
		t.Parallel()
		r := taken(t, payments, "pm_card_refundFail", 300)
		if outcome := ask(t, r); !outcome.Status.Accepted() {
			t.Errorf("at first %+v, want accepted", outcome)
		}
		failed := becomes(t, r, order.RefundFailed)
		if failed.Cause == nil || failed.Cause.Reason != order.GatewayFailed {
			t.Errorf("the failure: %+v", failed)
		}
		if diff := cmp.Diff(failed, ask(t, r)); diff != "" {
			t.Errorf("asked again (-failed +again):\n%s", diff)
		}
		if p, err := payments.Payment(t.Context(), r.PaymentID); err != nil || p.Refunded != 0 {
			t.Errorf("the payment: %+v, %v", p, err)
		}
	})
	t.Run("a disputed payment is not refunded", func(t *testing.T) {
		t.Parallel()
		r := taken(t, payments, "pm_card_createDispute", 300)
		servicestest.Eventually(t, time.Minute, "the payment is disputed", func() bool {
			happen()
			disputes, err := payments.DisputesOf(t.Context(), r.PaymentID)
			return err == nil && len(disputes) == 1 && disputes[0].PaymentID == r.PaymentID && disputes[0].Amount.Amount == 1299 &&
				!disputes[0].Closed && disputes[0].Reason == "fraudulent"
		})
		refused(t, r, order.PaymentDisputed)
	})
}

func newPayment(method string) order.Payment {
	return order.Payment{
		OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method, OrderedAt: time.Now(),
	}
}

func TestMemoryPaymentsKeepTheContract(t *testing.T) {
	t.Parallel()
	payments := ordertest.NewMemoryPayments()
	sagaContract(t, payments)
	refundContract(t, payments, payments.Happen)
}

func TestContractOverTheSimulator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	t.Run("contract", func(t *testing.T) {
		contract(t, w.payments, func() {
			if _, err := w.gateway.ChangeRefunds(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestContractOverTheRealGateway(t *testing.T) {
	t.Parallel()
	key := os.Getenv("STRIPE_TEST_KEY")
	if key == "" {
		t.Skip("STRIPE_TEST_KEY is not set: the real gateway needs the secret key of a Stripe test account (sk_test_…)")
	}
	if len(key) < 8 || key[:8] != "sk_test_" {
		t.Fatal("STRIPE_TEST_KEY is not a test key (sk_test_…): no test may move money")
	}
	payments, err := stripe.New(stripe.Config{URL: "https://api.stripe.com", Key: key, Timeout: 30 * time.Second}, discard)
	if err != nil {
		t.Fatal(err)
	}
	contract(t, payments, func() { time.Sleep(time.Second) }) // not to ask too often
}
