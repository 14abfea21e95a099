package stripe_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

func TestPayments(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for name, test := range map[string]func(*testing.T, *world){
		"a charge takes the money":                                     chargeTakesTheMoney,
		"a repeated charge takes the money once":                       chargeTwice,
		"sixteen concurrent charges of one order take the money once":  chargeAtOnce,
		"a refund gives the money back, once":                          refundTwice,
		"a refund before any charge refuses the late charge":           refundFirst,
		"a charge after the refund is refused, not reported as paid":   chargeAfterRefund,
		"a declined card is refused every time, and undone":            declineAndUndo,
		"a card that needs authentication is refused and fenced":       wantsAuthentication,
		"a partial refund by hand is completed":                        completePartialRefund,
		"an unknown payment method is refused and needs no undo":       unknownMethod,
		"an amount out of the gateway's bounds is refused":             amountOutOfBounds,
		"a charge that hangs and lands after the refund takes nothing": lateCharge,
		"a wrong API key is broken, not a decline":                     wrongKey,
		"concurrent charges and a refund keep nothing":                 chargeAndRefundAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, pool))
		})
	}
}

func chargeTakesTheMoney(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	id, err := w.charge(p)
	if err != nil {
		t.Fatal(err)
	}
	got := w.books(p)
	if len(got.PaymentIntents) != 1 || got.PaymentIntents[0].ID != id {
		t.Errorf("the returned ID %s is not the only intent's in %+v", id, got)
	}
	got.PaymentIntents = nil
	want := gateway.OrderLedger{OrderID: string(p.OrderID), Captured: 1299, Net: 1299, Captures: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func chargeTwice(t *testing.T, w *world) {
	p := w.payment("pm_card_mastercard")
	first, err := w.charge(p)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.charge(p)
	if err != nil || first != second {
		t.Errorf("the second charge: %q, %v; want the first one's ID %q", second, err, first)
	}
	w.wantCapturedOnce(p)
}

func chargeAtOnce(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	ids := make([]string, 16)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			id, err := w.settleCharge(p)
			if err != nil {
				t.Errorf("charge %d: %v", i, err)
			}
			ids[i] = id
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("different payments: %v", ids)
			break
		}
	}
	w.wantCapturedOnce(p)
}

func refundTwice(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	if _, err := w.charge(p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.refund(p); err != nil {
			t.Fatal(err)
		}
	}
	if b := w.books(p); b.Captured != 1299 || b.Refunded != 1299 {
		t.Errorf("captured %d, refunded %d; want 1299 of each", b.Captured, b.Refunded)
	}
}

func refundFirst(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	if err := w.refund(p); err != nil {
		t.Fatal(err)
	}
	b := w.books(p)
	if len(b.PaymentIntents) != 1 || b.PaymentIntents[0].Status != "canceled" {
		t.Errorf("want one cancelled intent as a tombstone, got %+v", b.PaymentIntents)
	}
	_, err := w.charge(p)
	wantRefused(t, err, "payment_cancelled")
	if b := w.books(p); b.Captured != 0 {
		t.Errorf("captured %d after the refund", b.Captured)
	}
}

func chargeAfterRefund(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	if _, err := w.charge(p); err != nil {
		t.Fatal(err)
	}
	refusedOnceUndone(t, w, p, "payment_refunded")
}

// refusedOnceUndone undoes a payment, after which no late charge may succeed.
func refusedOnceUndone(t *testing.T, w *world, p order.Payment, code string) {
	t.Helper()
	if err := w.refund(p); err != nil {
		t.Fatal(err)
	}
	_, err := w.charge(p)
	wantRefused(t, err, code)
	w.wantNothingKept(p)
}

func declineAndUndo(t *testing.T, w *world) {
	p := w.payment("pm_card_chargeDeclinedInsufficientFunds")
	for range 2 {
		_, err := w.charge(p)
		wantRefused(t, err, "insufficient_funds")
	}
	if n := len(w.books(p).PaymentIntents[0].Charges); n != 1 {
		t.Errorf("the card was tried %d times, want once", n)
	}
	if err := w.refund(p); err != nil {
		t.Fatal(err)
	}
	if got := w.books(p).PaymentIntents[0].Status; got != "canceled" {
		t.Errorf("the declined intent is %s after its undo, want canceled", got)
	}
}

func wantsAuthentication(t *testing.T, w *world) {
	p := w.payment("pm_card_authenticationRequired")
	for range 2 {
		_, err := w.charge(p)
		wantRefused(t, err, "authentication_required")
	}
	refusedOnceUndone(t, w, p, "payment_cancelled")
}

func unknownMethod(t *testing.T, w *world) {
	p := w.payment("pm_unknown")
	_, err := w.charge(p)
	wantRefused(t, err, "payment_method_unknown")
	if err := w.refund(p); err != nil {
		t.Errorf("its undo: %v", err)
	}
}

func amountOutOfBounds(t *testing.T, w *world) {
	for _, amount := range []money.Money{
		{Amount: 100_000_000, Currency: "USD"}, {Amount: 49, Currency: "USD"}, {Amount: 5000, Currency: "ZZZ"},
	} {
		p := w.payment("pm_card_visa")
		p.Amount = amount
		_, err := w.charge(p)
		var refusal *order.Refusal
		if !errors.As(err, &refusal) || refusal.Cause.Reason != order.InvalidAmount {
			t.Errorf("%s: %v, want a refusal", amount, err)
		}
		if err := w.refund(p); err != nil {
			t.Errorf("%s: the undo: %v", amount, err)
		}
	}
}

func wrongKey(t *testing.T, w *world) {
	payments, err := stripe.New(stripe.Config{URL: w.gateway.URL, Key: "sk_test_wrong"}, discard)
	if err != nil {
		t.Fatal(err)
	}
	_, chargeErr := payments.Charge(t.Context(), w.payment("pm_card_visa"))
	for _, err := range []error{chargeErr, payments.Check(t.Context())} {
		var response *stripe.Error
		if !errors.As(err, &response) || response.Status != 401 || !strings.Contains(err.Error(), "API key") {
			t.Errorf("%v: want a 401 that names the API key", err)
		}
		if err != nil && strings.Contains(err.Error(), "sk_test") {
			t.Errorf("the key appears in: %v", err)
		}
	}
	if err := w.payments.Check(t.Context()); err != nil {
		t.Errorf("with the right key: %v", err)
	}
}

func chargeAndRefundAtOnce(t *testing.T, w *world) {
	for range 10 {
		p := w.payment("pm_card_visa")
		var both sync.WaitGroup
		for range 3 {
			both.Go(func() { _, _ = w.settleCharge(p) })
		}
		both.Go(func() { w.settleRefund(p) })
		both.Wait()
		w.wantNothingKept(p)
	}
}

func completePartialRefund(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	id, err := w.charge(p)
	if err != nil {
		t.Fatal(err)
	}
	w.gateway.Post("/v1/refunds", url.Values{"payment_intent": {id}, "amount": {"300"}})
	w.settleRefund(p)
	if b := w.books(p); b.Refunded != 1299 {
		t.Errorf("refunded %d, want all of the 1299", b.Refunded)
	}
}

// lateCharge: the client gives up waiting for the confirm, the saga undoes the charge, then the confirm takes effect.
func lateCharge(t *testing.T, w *world) {
	p := w.payment("pm_card_visa")
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultLatency, Operation: "confirm", LatencyMS: 1500, Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := w.payments.Charge(ctx, p)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the charge: %v, want a deadline exceeded", err)
	}
	w.settleRefund(p)
	w.gateway.Close() // waits until the late confirm has been handled
	if b := w.books(p); b.Captured != 0 || b.PaymentIntents[0].Status != "canceled" {
		t.Errorf("after the late confirm: %+v, want nothing captured", b)
	}
}

func TestDeclinesHaveAMessageForTheCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	for method, want := range map[string]order.Cause{
		"pm_card_chargeDeclined":                       {Message: "the card was declined", DeclineCode: "generic_decline"},
		"pm_card_visa_chargeDeclinedInsufficientFunds": {Message: "the card has insufficient funds", DeclineCode: "insufficient_funds"},
		"pm_card_chargeDeclinedExpiredCard":            {Message: "the card has expired", DeclineCode: "expired_card"},
		"pm_card_chargeDeclinedIncorrectCvc":           {Message: "the card's security code is wrong", DeclineCode: "incorrect_cvc"},
		// A thief must not learn that the theft is known.
		"pm_card_visa_chargeDeclinedLostCard":   {Message: "the card was declined", DeclineCode: "generic_decline"},
		"pm_card_visa_chargeDeclinedStolenCard": {Message: "the card was declined", DeclineCode: "generic_decline"},
	} {
		want.Reason = order.PaymentDeclined
		p := w.payment(method)
		for _, attempt := range []string{"first", "repeated"} { // the repeated one gets it from the intent
			_, err := w.charge(p)
			var refusal *order.Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("%s, %s: %v, want a refusal", method, attempt, err)
				continue
			}
			if diff := cmp.Diff(want, refusal.Cause); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", method, attempt, diff)
			}
		}
	}
}

func TestOldOrders(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	const lag = 30 * time.Minute
	old := func(t *testing.T) *world {
		t.Parallel()
		return newWorld(t, pool, func(o *gateway.Options) { o.SearchDelay = lag })
	}
	t.Run("a payment whose keys are forgotten is found by the order's ID and refunded", func(t *testing.T) {
		w := old(t)
		p := w.payment("pm_card_visa")
		id, err := w.charge(p)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(25 * time.Hour)
		if again, err := w.charge(p); err != nil || again != id {
			t.Errorf("charged again: %q, %v; want the payment %q", again, err, id)
		}
		if err := w.refund(p); err != nil {
			t.Fatal(err)
		}
		w.wantNothingKept(p)
		if n := len(w.books(p).PaymentIntents); n != 1 {
			t.Errorf("%d intents, want 1", n)
		}
		_, err = w.charge(p)
		wantRefused(t, err, "payment_refunded")
	})
	t.Run("two payments of one order, which must not exist, are both refunded", func(t *testing.T) {
		w := old(t)
		p := w.payment("pm_card_visa")
		for range 2 {
			w.gateway.Post("/v1/payment_intents", url.Values{"amount": {"1299"}, "currency": {"usd"}, "payment_method": {p.Method},
				"metadata[order_id]": {string(p.OrderID)}})
		}
		for _, intent := range w.books(p).PaymentIntents {
			w.gateway.Post("/v1/payment_intents/"+intent.ID+"/confirm", nil)
		}
		w.clock.Advance(25 * time.Hour)
		if err := w.refund(p); err != nil {
			t.Fatal(err)
		}
		if b := w.books(p); b.Captures != 2 || b.Net != 0 {
			t.Errorf("captured %d times, net %d; want 2 and 0", b.Captures, b.Net)
		}
	})
	t.Run("nothing is created any more", func(t *testing.T) {
		w := old(t)
		p := w.payment("pm_card_visa")
		w.clock.Advance(25 * time.Hour)
		if id, err := w.charge(p); err == nil {
			t.Errorf("charged as %s", id)
		}
		if err := w.refund(p); err != nil {
			t.Errorf("the undo of nothing: %v", err)
		}
		if n := len(w.books(p).PaymentIntents); n != 0 {
			t.Errorf("%d intents were created", n)
		}
	})
	t.Run("an empty search proves nothing while the index may lag", func(t *testing.T) {
		w := old(t)
		p := w.payment("pm_card_visa")
		w.clock.Advance(22*time.Hour + 59*time.Minute)
		if _, err := w.charge(p); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(2 * time.Minute)
		if err := w.refund(p); err == nil {
			t.Error("the undo succeeds although the payment is not even in the index")
		}
		w.clock.Advance(time.Hour)
		if err := w.refund(p); err != nil {
			t.Error(err)
		}
		w.wantNothingKept(p)
	})
}

func TestAnInvalidPaymentIsNotSent(t *testing.T) {
	t.Parallel()
	payments, err := stripe.New(stripe.Config{URL: "http://127.0.0.1:1", Key: apiKey}, discard)
	if err != nil {
		t.Fatal(err)
	}
	good := order.Payment{
		OrderID: "0d8b4a26-9d3c-4d4b-8f4e-0a8f5f6b7c8d", OrderedAt: time.Now(),
		Amount: money.Money{Amount: 1, Currency: "USD"}, Method: "pm_card_visa",
	}
	for name, change := range map[string]func(*order.Payment){
		"no amount":         func(p *order.Payment) { p.Amount.Amount = 0 },
		"never priced":      func(p *order.Payment) { p.Amount = money.Money{} },
		"negative":          func(p *order.Payment) { p.Amount.Amount = -1 },
		"no order":          func(p *order.Payment) { p.OrderID = "" },
		"not a UUID":        func(p *order.Payment) { p.OrderID = "x' OR status:'succeeded" },
		"no payment method": func(p *order.Payment) { p.Method = "" },
		"no time":           func(p *order.Payment) { p.OrderedAt = time.Time{} },
	} {
		p := good
		change(&p)
		_, chargeErr := payments.Charge(t.Context(), p)
		for call, err := range map[string]error{"charge": chargeErr, "refund": payments.Refund(t.Context(), p)} {
			if err == nil || strings.Contains(err.Error(), "refused") { // a connection would be
				t.Errorf("%s: %s: %v", name, call, err)
			}
		}
	}
}

func TestAGatewayThatIsDownIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	w.gateway.Close()
	p := w.payment("pm_card_visa")
	_, chargeErr := w.charge(p)
	for _, err := range []error{chargeErr, w.refund(p), w.payments.Check(t.Context())} {
		var refusal *order.Refusal
		if err == nil || errors.As(err, &refusal) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v, want a refused connection", err)
		}
	}
}

func TestAWrongConfigurationIsRejected(t *testing.T) {
	t.Parallel()
	for _, c := range []stripe.Config{
		{URL: "", Key: "k"}, {URL: "127.0.0.1:12111", Key: "k"}, {URL: "ftp://x", Key: "k"}, {URL: "http://user:hunter2@x", Key: "k"},
		{URL: "http://127.0.0.1:1"},
	} {
		_, err := stripe.New(c, discard)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
