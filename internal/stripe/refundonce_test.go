package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// charged returns a payment of 12.99 USD that was taken, and its ID.
func (w *world) charged(method string) (order.Payment, string) {
	w.t.Helper()
	p := w.payment(method)
	id, err := w.charge(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, id
}

// part returns a refund of part of a payment, booked now.
func (w *world) part(p order.Payment, paymentID string, amount int64) order.Refund {
	return order.Refund{
		ID: order.RefundID(uuid.NewString()), OrderID: p.OrderID, PaymentID: paymentID, CreatedAt: w.clock.Now(),
		Amount: money.Money{Amount: amount, Currency: p.Amount.Currency},
	}
}

func (w *world) refundPart(r order.Refund) (order.RefundOutcome, error) {
	outcome, err := w.payments.RefundPart(w.t.Context(), r)
	w.tell(err)
	if errors.As(err, new(*order.Refusal)) {
		w.t.Errorf("a refusal is returned as an error: %v", err)
	}
	return outcome, err
}

// settlePart repeats a broken call until the gateway has said yes or no.
func (w *world) settlePart(r order.Refund) (outcome order.RefundOutcome) {
	w.t.Helper()
	_ = w.settle(func() (err error) {
		outcome, err = w.refundPart(r)
		return err
	})
	return outcome
}

// atGateway returns the refunds of this ID in the gateway's ledger.
func (w *world) atGateway(r order.Refund) (found []gateway.Refund) {
	w.t.Helper()
	for _, p := range w.books(order.Payment{OrderID: r.OrderID}).PaymentIntents {
		for _, g := range p.Refunds {
			if g.Metadata["refund_id"] == string(r.ID) {
				found = append(found, g)
			}
		}
	}
	return found
}

func (w *world) wantRefundedOnce(r order.Refund) {
	w.t.Helper()
	found := w.atGateway(r)
	if len(found) != 1 || found[0].Amount != r.Amount.Amount || found[0].Metadata["order_id"] != string(r.OrderID) {
		w.t.Errorf("refund %s of %s: the gateway has %+v, want it once", r.ID, r.Amount, found)
	}
}

func TestRefundsOfEveryFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for _, fault := range append([]gateway.Fault{gateway.FaultRefundStatus}, everyFault...) {
		for _, operation := range []string{"refund", "refund_retrieve", "refund_list"} {
			if fault == gateway.FaultRefundStatus && operation != "refund" {
				continue
			}
			for _, times := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s at %s, %d times: each part is refunded once", fault, operation, times), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, pool)
					p, id := w.charged("pm_card_visa")
					parts := []order.Refund{w.part(p, id, 300), w.part(p, id, 999)}
					rules := []gateway.Rule{{Fault: fault, Operation: operation, Count: times, Status: "pending"}}
					switch operation { // so that it is called at all
					case "refund_retrieve": // of a replay
						w.settlePart(parts[0])
					case "refund_list": // after an error
						rules = append(rules, gateway.Rule{Fault: gateway.FaultErrorAfter, Operation: "refund", Count: 1})
					}
					w.gateway.SetFaults(rules...)
					for _, r := range parts {
						if outcome := w.settlePart(r); !outcome.Status.Accepted() {
							t.Errorf("the outcome: %+v", outcome)
						}
					}
					w.wantStruck()
					for _, r := range parts {
						w.wantRefundedOnce(r)
					}
				})
			}
		}
	}
}

// TestAnyHistoryOfAttemptsRefundsEachPartOnce runs random attempts at two or three parts of a payment, with faults at any of
// their calls, time passing and keys being forgotten between them, and other hands at the gateway. The invariants: a part is
// refunded at most once, and exactly once if its outcome says so; an outcome never falls behind the gateway; no more is given
// back than was captured.
func TestAnyHistoryOfAttemptsRefundsEachPartOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	rapid.Check(t, func(t *rapid.T) {
		w.gateway.SetFaults()
		p, id := w.charged("pm_card_visa")
		parts := make([]order.Refund, rapid.IntRange(1, 3).Draw(t, "parts"))
		ended := make([]order.RefundOutcome, len(parts))
		for n := range parts {
			parts[n] = w.part(p, id, rapid.SampledFrom([]int64{100, 500, 700, 1299}).Draw(t, "amount"))
		}
		attempt := func(n int) {
			if ended[n].Status == order.RefundRefused { // the saga does not ask again
				return
			}
			outcome, err := w.refundPart(parts[n])
			found := w.atGateway(parts[n])
			switch {
			case len(found) > 1:
				t.Fatalf("refund %d is there %d times: %+v", n, len(found), found)
			case err != nil && ended[n].Status == "":
				return
			case err == nil && outcome.Status == order.RefundRefused && len(found) != 0:
				t.Fatalf("refund %d is refused, and the gateway has it: %+v", n, found)
			case err == nil && outcome.Status != order.RefundRefused && (len(found) != 1 || outcome.GatewayID != found[0].ID):
				t.Fatalf("refund %d is %+v, and the gateway has %+v", n, outcome, found)
			}
			if err == nil {
				ended[n] = outcome
			}
		}
		for range rapid.IntRange(1, 10).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"attempt", "attempt", "attempt", "faults", "faults", "time", "hand"}).Draw(t, "step") {
			case "attempt":
				attempt(rapid.IntRange(0, len(parts)-1).Draw(t, "part"))
			case "faults":
				w.gateway.SetFaults(drawFaults(t)...)
			case "time":
				w.clock.Advance(rapid.SampledFrom(pauses).Draw(t, "for"))
			case "hand": // an operator at the gateway's dashboard
				w.gateway.SetFaults()
				if w.books(p).Net >= 50 {
					w.gateway.RefundByHand(id, "50")
				}
			}
			if b := w.books(p); b.Refunded > b.Captured || b.Captured != 1299 {
				t.Fatalf("refunded %d of %d", b.Refunded, b.Captured)
			}
		}
		w.gateway.SetFaults()
		for n, r := range parts { // and every one comes to an end
			for tries := 0; ended[n].Status == "" && tries < 3; tries++ {
				attempt(n)
				w.clock.Advance(time.Hour) // out of the hour in which nothing is posted
			}
			if ended[n].Status == "" {
				t.Fatalf("refund %d has no outcome", n)
			}
			if len(w.atGateway(r)) != 1 && ended[n].Status != order.RefundRefused {
				t.Fatalf("refund %d is %s, and the gateway has %+v", n, ended[n].Status, w.atGateway(r))
			}
		}
	})
}

var pauses = []time.Duration{time.Minute, time.Hour, 22 * time.Hour, 24 * time.Hour}

func drawFaults(t *rapid.T) (rules []gateway.Rule) {
	for range rapid.IntRange(1, 3).Draw(t, "rules") {
		rules = append(rules, gateway.Rule{
			Fault: rapid.SampledFrom(refundFaults).Draw(t, "fault"), Count: rapid.IntRange(1, 2).Draw(t, "count"),
			Operation: rapid.SampledFrom([]string{"refund", "refund", "refund_retrieve", "refund_list"}).Draw(t, "operation"),
		})
	}
	return rules
}

// refundFaults are those that need no client to give up.
var refundFaults = []gateway.Fault{
	gateway.FaultErrorBefore, gateway.FaultErrorStored, gateway.FaultErrorAfter, gateway.FaultConflict, gateway.FaultRateLimit,
	gateway.FaultDropResponse, gateway.FaultReset, gateway.FaultOutage, gateway.FaultForgetRefusal,
}

func TestConcurrentAttemptsRefundAPartOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	part, other := w.part(p, id, 700), w.part(p, id, 700)
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			if n%2 == 0 {
				w.settlePart(part)
			} else {
				w.settlePart(other)
			}
		})
	}
	all.Wait()
	if n := len(w.atGateway(part)) + len(w.atGateway(other)); n != 1 || w.books(p).Refunded != 700 {
		t.Errorf("two parts of 7.00 of 12.99 were refunded %d times, %d in all; want one of them once", n, w.books(p).Refunded)
	}
}

// TestARefundThatLandsLate: the client gives up, asks again, and then both calls take effect, as far as the gateway lets them.
func TestARefundThatLandsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	r := w.part(p, id, 300)
	for _, rule := range []gateway.Rule{
		{Fault: gateway.FaultLatency, LatencyMS: 1000, Operation: "refund", Count: 1},
		{Fault: gateway.FaultHang, Operation: "refund", Count: 1},
	} {
		w.gateway.SetFaults(rule)
		ctx, giveUp := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := w.payments.RefundPart(ctx, r)
			ended <- err
		}()
		servicestest.Eventually(t, 30*time.Second, "the call is under way", func() bool { return w.gateway.Faults()[0].Struck == 1 })
		giveUp()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the call given up", rule.Fault, err)
		}
		w.settlePart(r)
	}
	w.gateway.Close() // waits for the late calls
	w.wantRefundedOnce(r)
}

func TestForgottenKeysRefundNothingTwice(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for name, test := range map[string]struct {
		first     gateway.Fault // strikes the attempt at the booking
		after     time.Duration // until the second attempt
		posted    bool          // whether that may find nothing and ask again
		attempted bool          // whether there is a refund before it
	}{
		"the response is lost: replayed in 22 h":           {gateway.FaultDropResponse, 22*time.Hour + 59*time.Minute, true, true},
		"the response is lost: found after 23 h":           {gateway.FaultDropResponse, 23 * time.Hour, true, true},
		"the response is lost: found after 25 h":           {gateway.FaultDropResponse, 25 * time.Hour, true, true},
		"the response is lost: found after a month":        {gateway.FaultDropResponse, 30*24*time.Hour + 23*time.Hour, true, true},
		"nothing happened: asked again in 22 h":            {gateway.FaultErrorBefore, 22*time.Hour + 59*time.Minute, true, false},
		"nothing happened: nothing is posted after 23 h":   {gateway.FaultErrorBefore, 23 * time.Hour, false, false},
		"nothing happened: nothing is posted before 24 h":  {gateway.FaultErrorBefore, 24*time.Hour - time.Second, false, false},
		"nothing happened: asked again after 24 h":         {gateway.FaultErrorBefore, 24 * time.Hour, true, false},
		"nothing happened: nothing is posted after 47 h":   {gateway.FaultErrorBefore, 47 * time.Hour, false, false},
		"a stored error: asked again under another day":    {gateway.FaultErrorStored, 50 * time.Hour, true, false},
		"it happened, with an error: found after 23 h":     {gateway.FaultErrorAfter, 23*time.Hour + 30*time.Minute, true, true},
		"it happened, with an error: found in the next 22": {gateway.FaultErrorAfter, 22 * time.Hour, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pool)
			p, id := w.charged("pm_card_visa")
			r := w.part(p, id, 300)
			w.gateway.SetFaults(gateway.Rule{Fault: test.first, Operation: "refund", Count: 1})
			_, _ = w.refundPart(r)
			w.wantStruck()
			if got := len(w.atGateway(r)) == 1; got != test.attempted {
				t.Fatalf("refunded by the first attempt: %t, want %t", got, test.attempted)
			}
			w.clock.Advance(test.after)
			outcome, err := w.refundPart(r)
			if (err == nil) != test.posted {
				t.Errorf("%+v, %v; want an outcome: %t", outcome, err, test.posted)
			}
			if test.posted {
				w.wantRefundedOnce(r)
			} else if len(w.atGateway(r)) != 0 {
				t.Error("it was posted while an attempt may be under way whose key is being forgotten")
			}
			for range 3 { // and once more on each of the next days
				w.clock.Advance(25 * time.Hour)
				w.settlePart(r)
				w.wantRefundedOnce(r)
			}
		})
	}
}
