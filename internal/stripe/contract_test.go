package stripe_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// contract is what the adapter guarantees over every stateful gateway, the simulator and the real one alike. It includes what
// the fake in the saga's tests guarantees. It uses only the adapter itself, because the real gateway offers nothing else.
func contract(t *testing.T, payments *stripe.Payments) {
	t.Helper()
	began := time.Now().Add(-time.Minute)
	t.Run("the key is accepted", func(t *testing.T) {
		t.Parallel()
		if err := payments.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	sagaContract(t, payments)
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

func newPayment(method string) order.Payment {
	return order.Payment{
		OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method, OrderedAt: time.Now(),
	}
}

func TestMemoryPaymentsKeepTheContract(t *testing.T) {
	t.Parallel()
	sagaContract(t, ordertest.NewMemoryPayments())
}

func TestContractOverTheSimulator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	t.Run("contract", func(t *testing.T) { contract(t, w.payments) })
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
	contract(t, payments)
}
