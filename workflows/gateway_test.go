package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// The order saga over the real payment adapter and a real gateway that misbehaves. All other systems are fakes.

// everyGatewayFault holds every way in which a call to the gateway can go wrong.
var everyGatewayFault = []gateway.Fault{
	gateway.FaultErrorBefore, gateway.FaultErrorStored, gateway.FaultErrorAfter, gateway.FaultConflict, gateway.FaultRateLimit,
	gateway.FaultDropResponse, gateway.FaultReset, gateway.FaultOutage, gateway.FaultLatency,
}

// patience is how long the adapter waits for a response: longer than any call takes, except one that is late on purpose. That
// one takes effect after its client has given up.
func patience(fault gateway.Fault) time.Duration {
	if fault == gateway.FaultLatency {
		return late / 2
	}
	return 10 * time.Second
}

const (
	late = 600 * time.Millisecond
	// pause is a real pause after a broken call. The test's clock skips the pauses between attempts, so an order would be past
	// its deadline before a late call has taken effect.
	pause = 60 * time.Millisecond
)

// outcomes are the ways in which an order may end, apart from the gateway's faults, and the gateway calls that each takes.
var outcomes = map[string]struct {
	method     string
	strikes    []sagatest.Strike
	want       order.Status
	reason     order.Reason
	operations []string
}{
	"paid": {method: visa, want: order.Confirmed, operations: []string{"create", "confirm", "retrieve"}},
	"declined": {method: broke, want: order.Failed, reason: order.PaymentDeclined,
		operations: []string{"create", "confirm", "retrieve", "cancel"}},
	"paid, then undone": {method: visa, want: order.Failed, reason: order.ReservationLost,
		strikes:    []sagatest.Strike{breaks("CommitStock", 1, refusal("CommitStock"))},
		operations: []string{"create", "confirm", "retrieve", "cancel", "refund"}},
	"never paid for": {method: visa, want: order.Failed, reason: order.OutOfStock,
		strikes:    []sagatest.Strike{breaks("ReserveStock", 1, refusal("ReserveStock"))},
		operations: []string{"create", "cancel"}},
}

func TestEveryFaultOfTheGatewayAtEveryCallOfTheSaga(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for name, outcome := range outcomes {
		for _, operation := range outcome.operations {
			for _, fault := range everyGatewayFault {
				for _, times := range []int{1, 3} {
					if fault == gateway.FaultLatency && times > 1 {
						continue // takes real time, and shows nothing more
					}
					t.Run(fmt.Sprintf("%s, %s at %s %d times", name, fault, operation, times), func(t *testing.T) {
						t.Parallel()
						g := newShop(t, pool, patience(fault))
						g.till.SetFaults(reach(operation, rule(fault, operation, times))...)
						wantEnd(t, g.run(t, outcome.method, outcome.strikes...), outcome.want, outcome.reason)
						if g.struck == 0 {
							t.Error("the fault did not strike, so the test proves nothing")
						}
					})
				}
			}
		}
	}
}

// rule is a rule for the fault that strikes times times, or always when times is 0.
func rule(fault gateway.Fault, operation string, times int) gateway.Rule {
	r := gateway.Rule{Fault: fault, Operation: operation, Count: times}
	if fault == gateway.FaultLatency {
		r.LatencyMS = int(late.Milliseconds())
	}
	return r
}

// reach adds the faults without which the operation is not called: the adapter looks a payment up when a response is lost.
func reach(operation string, rule gateway.Rule) []gateway.Rule {
	rules := []gateway.Rule{rule}
	if operation == "retrieve" {
		for _, call := range []string{"confirm", "cancel"} {
			rules = append(rules, gateway.Rule{Fault: gateway.FaultDropResponse, Operation: call, Count: 1})
		}
	}
	return rules
}

func TestThreeRetriesOfAChargeWhoseResponseWasLostAreOneCharge(t *testing.T) {
	t.Parallel()
	g := newShop(t, gatewaytest.Ledger(t), patience(""))
	g.till.SetFaults(gateway.Rule{Fault: gateway.FaultDropResponse, Operation: "confirm"},
		gateway.Rule{Fault: gateway.FaultOutage, Operation: "retrieve", Count: 3})
	wantEnd(t, g.run(t, visa), order.Confirmed, "")
	if got := g.story.Calls("ChargePayment"); got != 4 {
		t.Errorf("charged %d times, want once and three retries", got)
	}
}

func TestOrderIsCancelledWhileTheResponseOfTheChargeIsLost(t *testing.T) {
	t.Parallel()
	pool := gatewaytest.Ledger(t)
	for _, fault := range everyGatewayFault {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			g := newShop(t, pool, patience(fault))
			g.till.SetFaults(rule(fault, "confirm", 0), gateway.Rule{Fault: gateway.FaultOutage, Operation: "retrieve"})
			fifth := sagatest.Strike{Activity: "ChargePayment", Call: 5, Disturbance: sagatest.Disturbance{
				Name: "still broken, and cancelled", Error: errBroken,
				OnCall: func(x *sagatest.Trial) { g.till.SetFaults(); x.Cancel() },
			}}
			wantEnd(t, g.run(t, visa, fifth), order.Cancelled, order.CancelledByOperator)
		})
	}
}

func TestWrongKeyNeedsAttentionAtOnceAndHeals(t *testing.T) {
	t.Parallel()
	g := newShop(t, gatewaytest.Ledger(t), patience(""))
	right := g.key.Swap("sk_test_wrong")
	said := ""
	g.prepare = func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			value, err := env.QueryWorkflow("__temporal_workflow_metadata")
			if err != nil {
				t.Error(err)
				return
			}
			var metadata sdkpb.WorkflowMetadata
			if err := value.Get(&metadata); err != nil {
				t.Error(err)
			}
			said = metadata.CurrentDetails
			g.key.Swap(right)
		}, 10*time.Second)
	}
	wantEnd(t, g.run(t, visa), order.Confirmed, "")
	if !strings.Contains(said, "ChargePayment") || !strings.Contains(said, "API key") {
		t.Errorf("after ten seconds the details are %q", said)
	}
}

// shop is the order saga over its own gateway.
type shop struct {
	w        *world
	till     *gatewaytest.Gateway
	payments overGateway
	key      *keyring
	log      *slog.Logger
	told     *logtest.Buffer // the logs, and what goes into the workflow's history
	prepare  func(*testsuite.TestWorkflowEnvironment)

	// Known after run.
	story  sagatest.Story
	struck int // how often the first fault has struck
}

func newShop(t *testing.T, pool *pgdb.DB, patience time.Duration) *shop {
	t.Helper()
	s := &shop{w: newWorld(), key: &keyring{key: gatewaytest.APIKey}, told: &logtest.Buffer{}}
	s.log = slog.New(slog.NewJSONHandler(s.told, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.till = gatewaytest.Start(t, pool, s.log)
	config := stripe.Config{URL: s.till.URL, Key: gatewaytest.APIKey, Timeout: patience, Transport: s.key}
	payments, err := stripe.New(config, s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.payments = overGateway{payments, s.w.payments, patience < late}
	return s
}

// run takes an order of two lamps to its end and checks every promise, the money in the gateway's own books.
func (s *shop) run(t *testing.T, method string, strikes ...sagatest.Strike) order.Order {
	t.Helper()
	req := request(method)
	req.ID = order.ID(uuid.NewString())
	all, placed := s.w.activities(), placing(req)
	all.Payments = s.payments
	placed.World = func() sagatest.World { return s.w.seen(all, req.ID) }
	placed.Logger = sdklog.NewStructuredLogger(s.log)
	placed.Setup = func(env *testsuite.TestWorkflowEnvironment) {
		env.SetDataConverter(spy{converter.GetDefaultDataConverter(), s.told})
		if s.prepare != nil {
			s.prepare(env)
		}
	}
	var row order.Order
	row, s.story = runSaga(t, placed, s.w, req.ID, strikes...)
	if rules := s.till.Faults(); len(rules) > 0 {
		s.struck = rules[0].Struck
	}
	s.till.Close() // waits until late calls have taken effect
	got := s.till.Money(string(req.ID))
	want := int64(0)
	if row.Status == order.Confirmed {
		want = row.Total.Amount
	}
	if got.Captures > 1 || got.Net != want {
		t.Errorf("%s: captured %d time(s), net %d; want at most once, %d", row.Status, got.Captures, got.Net, want)
	}
	for _, p := range got.PaymentIntents {
		if row.Status == order.Confirmed && p.Captured > 0 && p.ID != row.PaymentID {
			t.Errorf("the row names payment %s, the books %s", row.PaymentID, p.ID)
		}
	}
	if s.told.String() == "" {
		t.Error("nothing was logged, so the search for secrets proves nothing")
	}
	for _, line := range gatewaytest.Secrets(s.told.String()) {
		t.Errorf("a secret is in: %s", line)
	}
	return row
}

// overGateway repeats in the fake's books what the real gateway did, so that the world's invariants see it too.
type overGateway struct {
	*stripe.Payments
	books  *ordertest.MemoryPayments
	pauses bool // after broken calls
}

func (g overGateway) Charge(ctx context.Context, p order.Payment) (string, error) {
	id, err := g.Payments.Charge(ctx, p)
	if err == nil {
		_, _ = g.books.Charge(ctx, p) // refused when an undo was faster
	}
	g.pause(err)
	return id, err
}

func (g overGateway) Refund(ctx context.Context, p order.Payment) error {
	err := g.Payments.Refund(ctx, p)
	if err == nil {
		err = g.books.Refund(ctx, p)
	}
	g.pause(err)
	return err
}

func (g overGateway) pause(err error) {
	if err != nil && g.pauses {
		time.Sleep(pause)
	}
}

// keyring sends requests with the key that it holds now, each on a new connection: on a kept one, net/http repeats a request
// by itself when the response is missing, and hides the fault.
type keyring struct {
	mu  sync.Mutex
	key string
}

// Swap replaces the key and returns the old one.
func (k *keyring) Swap(key string) (old string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old, k.key = k.key, key
	return old
}

var noKeepAlive = &http.Transport{DisableKeepAlives: true}

func (k *keyring) RoundTrip(req *http.Request) (*http.Response, error) {
	k.mu.Lock()
	key := k.key
	k.mu.Unlock()
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+key)
	return noKeepAlive.RoundTrip(req)
}

// spy records every payload that goes into a history: inputs, results and details of errors.
type spy struct {
	converter.DataConverter
	told *logtest.Buffer
}

func (s spy) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	payloads, err := s.DataConverter.ToPayloads(values...)
	for _, p := range payloads.GetPayloads() {
		_, _ = s.told.Write(append(p.GetData(), '\n'))
	}
	return payloads, err
}

func (s spy) ToPayload(value any) (*commonpb.Payload, error) {
	p, err := s.DataConverter.ToPayload(value)
	_, _ = s.told.Write(append(p.GetData(), '\n'))
	return p, err
}
