package stripe_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// everyFault is every way in which a call can fail.
var everyFault = []gateway.Fault{
	gateway.FaultErrorBefore, gateway.FaultErrorStored, gateway.FaultErrorAfter, gateway.FaultConflict, gateway.FaultRateLimit,
	gateway.FaultDropResponse, gateway.FaultReset, gateway.FaultOutage,
}

// reach adds the rules that are needed for the operation to be called at all: the adapter looks an intent up only after it
// has lost the response to another call.
func reach(operation string, rule gateway.Rule) []gateway.Rule {
	if operation != "retrieve" {
		return []gateway.Rule{rule}
	}
	return []gateway.Rule{
		rule,
		{Fault: gateway.FaultDropResponse, Operation: "confirm", Count: 1},
		{Fault: gateway.FaultDropResponse, Operation: "cancel", Count: 1},
	}
}

func TestEveryFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for _, fault := range everyFault {
		for _, operation := range []string{"create", "confirm", "retrieve"} {
			for _, times := range []int{1, 3} {
				name := fmt.Sprintf("%s at %s, %d times: the repeated charge takes the money once", fault, operation, times)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, pool)
					p := w.payment("pm_card_visa")
					w.gateway.SetFaults(reach(operation, gateway.Rule{Fault: fault, Operation: operation, Count: times})...)
					if _, err := w.settleCharge(p); err != nil {
						t.Errorf("the charge: %v", err)
					}
					w.wantCapturedOnce(p)
					w.wantStruck()
					w.settleRefund(p)
					w.wantNothingKept(p)
				})
			}
			t.Run(fmt.Sprintf("%s at %s, then undone: nothing is kept, now or later", fault, operation), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, pool)
				p := w.payment("pm_card_visa")
				w.gateway.SetFaults(reach(operation, gateway.Rule{Fault: fault, Operation: operation, Count: 1})...)
				_, _ = w.charge(p)
				w.wantStruck()
				w.settleRefund(p)
				w.wantNothingKept(p)
				if id, err := w.settleCharge(p); err == nil {
					t.Errorf("the late charge is not refused: %s", id)
				}
				w.wantNothingKept(p)
			})
		}
		for _, operation := range []string{"create", "cancel", "retrieve", "refund"} {
			for _, charged := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s at %s of the undo, charged %t: nothing is kept", fault, operation, charged), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, pool)
					p := w.payment("pm_card_visa")
					if charged {
						if _, err := w.charge(p); err != nil {
							t.Fatal(err)
						}
					}
					w.gateway.SetFaults(reach(operation, gateway.Rule{Fault: fault, Operation: operation, Count: 2})...)
					w.settleRefund(p)
					if charged || operation != "refund" { // what was not charged is not refunded
						w.wantStruck()
					}
					w.wantNothingKept(p)
					if id, err := w.settleCharge(p); err == nil {
						t.Errorf("the late charge is not refused: %s", id)
					}
					w.wantNothingKept(p)
				})
			}
		}
	}
}

func TestManyOrdersOverAnUnreliableGatewayKeepExactlyTheRightMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	rate := 0.04
	var rules []gateway.Rule
	for _, fault := range everyFault {
		rules = append(rules, gateway.Rule{Fault: fault, Rate: &rate})
	}
	w.gateway.SetFaults(append(rules, gateway.Rule{Fault: gateway.FaultLatency, LatencyMS: 20, Rate: &rate})...)
	var orders sync.WaitGroup
	for n := range 30 {
		orders.Go(func() {
			p := w.payment("pm_card_visa")
			kept := n%3 == 0
			var calls sync.WaitGroup
			for range 2 {
				calls.Go(func() { _, _ = w.settleCharge(p) })
			}
			if n%3 == 1 { // undone afterwards; otherwise while it is being charged
				calls.Wait()
			}
			if !kept {
				w.settleRefund(p)
			}
			calls.Wait()
			if kept {
				w.wantCapturedOnce(p)
			} else {
				w.wantNothingKept(p)
			}
		})
	}
	orders.Wait()
}

func TestACreateThatIsStuckForever(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p := w.payment("pm_card_visa")
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultErrorAfter, Operation: "create"})
	for range 30 {
		if id, err := w.charge(p); err == nil {
			t.Fatalf("charged as %s", id)
		}
	}
	w.gateway.SetFaults()
	if err := w.refund(p); err != nil {
		t.Errorf("its undo: %v", err)
	}
	_, err := w.charge(p)
	if err == nil {
		t.Error("a late charge succeeds")
	}
	if b := w.books(p); b.Captured != 0 {
		t.Errorf("captured %d", b.Captured)
	}
}
