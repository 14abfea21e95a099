package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

// purse is a gateway that has captured one payment and gives parts of it back, each refund once.
type purse struct {
	mu       sync.Mutex
	captured int64
	refunds  []order.GatewayRefund
	refuses  bool // every refund that it does not have yet
	accepts  order.RefundStatus
}

func (p *purse) RefundPart(ctx context.Context, r order.Refund) (order.RefundOutcome, error) {
	if outcome, found, _ := p.FindRefund(ctx, r); found {
		return outcome, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses || p.given()+r.Amount.Amount > p.captured {
		return order.RefundOutcome{Status: order.RefundRefused, Cause: &order.RefundCause{
			Reason: order.GatewayRefused, By: order.RefusedByGateway, Message: "the payment cannot be refunded",
		}}, nil
	}
	made := order.GatewayRefund{
		ID: fmt.Sprintf("re_%d", len(p.refunds)+1), PaymentID: r.PaymentID, OrderID: r.OrderID, RefundID: r.ID,
		Status: order.RefundSucceeded, Amount: r.Amount,
	}
	if p.accepts != "" {
		made.Status = p.accepts
	}
	p.refunds = append(p.refunds, made)
	return made.Outcome(), nil
}

func (p *purse) FindRefund(_ context.Context, r order.Refund) (order.RefundOutcome, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, made := range p.refunds {
		if made.RefundID == r.ID {
			return made.Outcome(), true, nil
		}
	}
	return order.RefundOutcome{}, false, nil
}

// given is what was given back and did not come back. It is called with mu held.
func (p *purse) given() (sum int64) {
	for _, made := range p.refunds {
		if made.Status != order.RefundFailed {
			sum += made.Amount.Amount
		}
	}
	return sum
}

// returnsDesk is the world of refunds: a confirmed order, its payment and its stock.
type returnsDesk struct {
	*ordertest.Memory
	order   order.Order
	catalog *ordertest.MemoryCatalog
	purse   *purse
	mu      sync.Mutex
	told    map[string]string // by message ID: what was published
}

func newReturnsDesk(t testing.TB) *returnsDesk {
	t.Helper()
	rows, o := ordertest.NewMemory(time.Now), ordertest.NewOrder(42)
	o.ID = "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"
	stock := func(id string) order.Line {
		return order.Line{ProductID: id, Name: id, Quantity: 10, Price: money.Money{Amount: 999, Currency: "USD"}}
	}
	s := &returnsDesk{
		Memory: rows, order: o, purse: &purse{captured: o.Total.Amount}, told: map[string]string{},
		catalog: ordertest.NewMemoryCatalog(time.Now, stock("mug"), stock("tea")),
	}
	ctx := context.Background()
	_, err := rows.Create(ctx, o)
	err = errors.Join(err, s.catalog.Reserve(ctx, o.ID, order.Items(o.Items), time.Now().Add(time.Hour)),
		s.catalog.Commit(ctx, o.ID))
	_, confirm := rows.Confirm(ctx, o.ID, "pi_1", nil)
	if err := errors.Join(err, confirm); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *returnsDesk) PublishRefund(_ context.Context, e order.RefundEvent) error {
	return s.tell(e.MessageID(), fmt.Sprintf("%+v", e))
}

func (s *returnsDesk) PublishShipment(_ context.Context, e order.ShipmentEvent) error {
	return s.tell(e.MessageID(), fmt.Sprintf("%+v", e))
}

// tell refuses a message whose body has changed: consumers would keep the first.
func (s *returnsDesk) tell(id, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.told[id]; ok && known != body {
		return fmt.Errorf("message %s was published with two bodies:\n%s\n%s", id, known, body)
	}
	s.told[id] = body
	return nil
}

func (s *returnsDesk) SendAlert(context.Context, order.Alert) error { return nil }

func (s *returnsDesk) activities() []any {
	return []any{
		&activities.Refunding{Refunds: s.Refunds(), Gateway: s.purse, Catalog: s.catalog, Events: s},
		&activities.Shipping{Shipments: s.Shipments(), Events: s},
		&activities.Activities{Orders: s.Memory, Alerts: s},
	}
}

// request asks to give one of the two mugs back.
func (s *returnsDesk) request() order.RefundRequest {
	return order.RefundRequest{
		ID: "8190d2ad-5c2f-8c3e-9a4b-0f7f2f3c1a2b", OrderID: s.order.ID, Kind: order.Return, By: order.ByOperator,
		Money: order.ThroughGateway, Items: []order.RefundItem{{Line: 1, Quantity: 1, Restock: 1}}, Hash: "c0ffee",
	}
}

// effects is what a refund or a shipment has brought about, at the gateway, in the catalog and in messages. That a refund was
// refused is no effect.
type effects struct {
	Given     int64
	Refunds   int
	Available int
	Told      []string
}

func (s *returnsDesk) effects() any {
	e := effects{Given: s.purse.given(), Refunds: len(s.purse.refunds), Available: s.catalog.Available("mug")}
	for id := range s.told {
		if !strings.HasSuffix(id, string(order.EventRefundRefused)) {
			e.Told = append(e.Told, id)
		}
	}
	slices.Sort(e.Told)
	return e
}

// refundSaga is RefundOrder over a world that spoil may have changed.
func refundSaga(t testing.TB, spoil func(*activities.Refunding)) sagatest.Saga {
	request := newReturnsDesk(t).request()
	return sagatest.Saga{
		Workflow: workflows.RefundOrder,
		Args:     []any{workflows.RefundOrderInput{Request: request}},
		World: func() sagatest.World {
			s := newReturnsDesk(t)
			all := s.activities()
			spoil(all[0].(*activities.Refunding))
			return sagatest.World{
				Activities: all, InEffect: s.effects,
				Invariants: []sagatest.Invariant{{Name: "books equal facts", Holds: s.booksEqualFacts}},
			}
		},
		ID: request.ID.WorkflowID(), Fence: "FenceRefund", Recover: resumeRefund,
		Ended: func(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
			var result workflows.RefundResult
			if err := env.GetWorkflowResult(&result); err != nil {
				return "", err
			}
			if result.Status == order.RefundRefused {
				return saga.WasUnwound, nil
			}
			return saga.WentForward, nil
		},
	}
}

// resumeRefund is RefundOrder as recovery starts it.
func resumeRefund(ctx workflow.Context, in workflows.RefundOrderInput) (workflows.RefundResult, error) {
	in.Resume = true
	return workflows.RefundOrder(ctx, in)
}

// TestARefundUnderEveryDisturbance runs RefundOrder under every disturbance of every step, and under pairs of them: refunded,
// restocked and told once, or nothing of it.
func TestARefundUnderEveryDisturbance(t *testing.T) {
	t.Parallel()
	sagatest.Explore(t, refundSaga(t, func(*activities.Refunding) {}))
}

// TestWhatEachGuardOfARefundPrevents takes the guards away, one by one: the explorer finds each.
func TestWhatEachGuardOfARefundPrevents(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*activities.Refunding){
		"the gateway knows no idempotency key": func(r *activities.Refunding) { r.Gateway = forgetful{r.Gateway.(*purse)} },
		"returns are not keyed":                func(r *activities.Refunding) { r.Catalog = &unkeyed{Returns: r.Catalog} },
		"the fence leaves no tombstone":        func(r *activities.Refunding) { r.Refunds = noTombstone{r.Refunds.(ordertest.Refunds)} },
		"settling ignores the gateway":         func(r *activities.Refunding) { r.Refunds = pessimist{r.Refunds} },
		"a refund is at rest before its event": func(r *activities.Refunding) { r.Events = mute{} },
		"units are recorded and not returned":  func(r *activities.Refunding) { r.Catalog = lazy{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if found := sagatest.Find(refundSaga(t, spoil), sagatest.Bounds{First: true}); len(found) == 0 {
				t.Error("the explorer finds nothing wrong")
			} else {
				t.Log(found[0])
			}
		})
	}
}

// forgetful makes a new refund at each request.
type forgetful struct{ *purse }

func (g forgetful) RefundPart(_ context.Context, r order.Refund) (order.RefundOutcome, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	made := order.GatewayRefund{
		ID: fmt.Sprintf("re_%d", len(g.refunds)+1), RefundID: r.ID, Status: order.RefundSucceeded, Amount: r.Amount,
	}
	g.refunds = append(g.refunds, made)
	return made.Outcome(), nil
}

// unkeyed returns the units of each call.
type unkeyed struct {
	activities.Returns
	calls int
}

func (u *unkeyed) Return(ctx context.Context, id order.ID, refund order.RefundID, lines []order.ReturnLine) error {
	u.calls++
	return u.Returns.Return(ctx, id, refund+order.RefundID(fmt.Sprint(u.calls)), lines)
}

// noTombstone says that a refund was fenced, and stores nothing.
type noTombstone struct{ ordertest.Refunds }

func (n noTombstone) Fence(ctx context.Context, req order.RefundRequest, _ order.RefundCause) (order.Refund, error) {
	row, err := n.Refund(ctx, req.ID)
	if errors.Is(err, order.ErrNotFound) {
		return order.Refund{ID: req.ID, OrderID: req.OrderID, Status: order.RefundRefused, Settled: true}, nil
	}
	return row, err
}

// Finish finds no row to bring to rest.
func (n noTombstone) Finish(ctx context.Context, id order.RefundID, version int64) (order.Refund, error) {
	row, err := n.Refunds.Finish(ctx, id, version)
	if errors.Is(err, order.ErrNotFound) {
		return order.Refund{ID: id, Status: order.RefundRefused, Settled: true}, nil
	}
	return row, err
}

// pessimist calls every refund refused.
type pessimist struct{ activities.Refunds }

func (o pessimist) Settle(ctx context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error) {
	outcome.Status = order.RefundRefused
	outcome.Cause = &order.RefundCause{Reason: order.GatewayRefused, By: order.RefusedByGateway, Message: "no"}
	return o.Refunds.Settle(ctx, id, outcome)
}

// mute publishes nothing.
type mute struct{}

func (mute) PublishRefund(context.Context, order.RefundEvent) error { return nil }

// lazy returns nothing.
type lazy struct{}

func (lazy) Return(context.Context, order.ID, order.RefundID, []order.ReturnLine) error { return nil }

// TestAShipmentUnderEveryDisturbance: a shipment is recorded and announced once. Nothing undoes it.
func TestAShipmentUnderEveryDisturbance(t *testing.T) {
	t.Parallel()
	request := order.ShipmentRequest{
		ID: "9190d2ad-5c2f-8c3e-9a4b-0f7f2f3c1a2b", OrderID: newReturnsDesk(t).order.ID,
		Items: []order.ShipmentItem{{Line: 1, Quantity: 2}}, Carrier: "pigeon", Hash: "c0ffee",
	}
	sagatest.Explore(t, sagatest.Saga{
		Workflow: workflows.ShipOrder,
		Args:     []any{request},
		World: func() sagatest.World {
			s := newReturnsDesk(t)
			return sagatest.World{Activities: s.activities(), InEffect: s.effects, Invariants: []sagatest.Invariant{{
				Name: "the shipment is at rest", Holds: func(sagatest.Story) error {
					row, err := s.Shipments().Shipment(context.Background(), request.ID)
					if err != nil || row.Status != order.Shipped || !row.Settled {
						return fmt.Errorf("%+v, %w", row, err)
					}
					return nil
				},
			}}}
		},
		ID: request.ID.WorkflowID(), Fence: "ShipLines", Recover: workflows.ShipOrder,
	})
}

// booksEqualFacts holds at rest: the row says what the gateway says, the units are back and everything was announced.
func (s *returnsDesk) booksEqualFacts(sagatest.Story) error {
	row, err := s.Refunds().Refund(context.Background(), s.request().ID)
	if err != nil {
		return fmt.Errorf("the request has no end: %w", err)
	}
	switch {
	case !row.Settled:
		return fmt.Errorf("the refund is %s and not at rest", row.Status)
	case row.Status.Accepted() != (len(s.purse.refunds) == 1):
		return fmt.Errorf("the refund is %s, and the gateway has %d", row.Status, len(s.purse.refunds))
	case row.Status.Accepted() && (row.Units != order.UnitsDone || s.catalog.Available("mug") != 9):
		return fmt.Errorf("the refund is %s, its units are %s, and the catalog has %d",
			row.Status, row.Units, s.catalog.Available("mug"))
	case row.Status.Accepted() && s.told[string(row.ID)+"."+string(order.EventRefunded)] == "":
		return fmt.Errorf("the refund is %s, and nobody was told", row.Status)
	}
	for id := range s.told {
		if refused := strings.HasSuffix(id, string(order.EventRefundRefused)); refused != (row.Status == order.RefundRefused) {
			return fmt.Errorf("the refund is %s, and %s was published", row.Status, id)
		}
	}
	return nil
}
