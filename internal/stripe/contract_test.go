package stripe_test

import (
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
	payment := func(method string) order.Payment {
		return order.Payment{
			OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method, OrderedAt: time.Now(),
		}
	}
	t.Run("the key is accepted", func(t *testing.T) {
		t.Parallel()
		if err := payments.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	ordertest.PaymentsContract(t, payments)
	t.Run("payments are listed with their orders", func(t *testing.T) {
		t.Parallel()
		p := payment("pm_card_visa")
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
