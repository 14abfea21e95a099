package stripe_test

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

const apiKey = gatewaytest.APIKey

// world is an adapter over a running gateway.
type world struct {
	t        *testing.T
	gateway  *gatewaytest.Gateway
	payments *stripe.Payments
	clock    *clocktest.Clock
	told     *logtest.Buffer // everything logged or returned as an error
}

func newWorld(t *testing.T, ledger *pgdb.DB, change ...func(*gateway.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.At(time.Now()), told: &logtest.Buffer{}}
	log := slog.New(slog.NewJSONHandler(w.told, &slog.HandlerOptions{Level: slog.LevelDebug}))
	change = append(change, func(o *gateway.Options) { o.Now = w.clock.Now })
	w.gateway = gatewaytest.Start(t, ledger, log, change...)
	var err error
	w.payments, err = stripe.New(stripe.Config{
		URL: w.gateway.URL, Key: apiKey, Now: w.clock.Now, Timeout: 20 * time.Second,
		// On a kept connection, net/http repeats a request without a response by itself, which would hide the fault.
		Transport: &http.Transport{DisableKeepAlives: true},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, line := range gatewaytest.Secrets(w.told.String()) {
			t.Errorf("a secret appears in: %s", line)
		}
	})
	return w
}

// payment returns the payment of a new order over 12.99 USD, placed now.
func (w *world) payment(method string) order.Payment {
	return order.Payment{
		OrderID: order.ID(uuid.NewString()), OrderedAt: w.clock.Now(),
		Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method,
	}
}

func (w *world) charge(p order.Payment) (string, error) {
	id, err := w.payments.Charge(w.t.Context(), p)
	w.tell(err)
	return id, err
}

func (w *world) refund(p order.Payment) error {
	err := w.payments.Refund(w.t.Context(), p)
	w.tell(err)
	return err
}

func (w *world) tell(err error) {
	if err != nil {
		_, _ = w.told.Write([]byte(err.Error() + "\n"))
	}
}

// settle repeats a broken call until it succeeds or is refused, as the saga does.
func (w *world) settle(call func() error) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := call()
		var refusal *order.Refusal
		if err == nil || errors.As(err, &refusal) {
			return err
		}
		if time.Now().After(deadline) {
			w.t.Errorf("still broken after 30 s: %v", err)
			return err
		}
	}
}

func (w *world) settleCharge(p order.Payment) (id string, err error) {
	err = w.settle(func() (err error) {
		id, err = w.charge(p)
		return err
	})
	return id, err
}

func (w *world) settleRefund(p order.Payment) {
	w.t.Helper()
	if err := w.settle(func() error { return w.refund(p) }); err != nil {
		w.t.Errorf("the refund: %v", err)
	}
}

// wantStruck checks that the first of the faults has struck. Otherwise the test proves nothing.
func (w *world) wantStruck() {
	w.t.Helper()
	if rules := w.gateway.Faults(); rules[0].Struck == 0 {
		w.t.Errorf("the fault has not struck: %+v", rules)
	}
}

// books returns the order's money at the gateway.
func (w *world) books(p order.Payment) gateway.OrderLedger {
	w.t.Helper()
	return w.gateway.Money(string(p.OrderID))
}

func (w *world) wantCapturedOnce(p order.Payment) {
	w.t.Helper()
	if b := w.books(p); b.Captures != 1 || b.Net != p.Amount.Amount {
		w.t.Errorf("order %s: captured %d time(s), net %d; want once, %d", p.OrderID, b.Captures, b.Net, p.Amount.Amount)
	}
}

func (w *world) wantNothingKept(p order.Payment) {
	w.t.Helper()
	if b := w.books(p); b.Net != 0 || b.Captures > 1 {
		w.t.Errorf("order %s: captured %d time(s), net %d; want nothing kept", p.OrderID, b.Captures, b.Net)
	}
}

// wantRefused checks that err refuses the payment with the decline code.
func wantRefused(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *order.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("want a refusal (%s), got %v", code, err)
		return
	}
	got, want := refusal.Cause, order.Cause{Reason: order.PaymentDeclined, DeclineCode: code}
	got.Message = "" // it is for people
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the refusal's cause (-want +got):\n%s", diff)
	}
}

var discard = slog.New(slog.DiscardHandler)
