package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// refund is the event of a return in a status.
func refund(t *testing.T, status order.RefundStatus, change func(*order.Refund)) order.RefundEvent {
	t.Helper()
	at := func(minute int) time.Time { return time.Date(2026, 11, 9, 10, minute, 0, 250_000_000, time.UTC) }
	r := order.Refund{
		ID: "0197a4b2-6c1e-7d3f-8a55-000000000070", OrderID: confirmed(7).OrderID, UserID: 42,
		Kind: order.Return, Money: order.ThroughGateway, Amount: money.Money{Amount: 2598, Currency: "USD"}, Status: status,
		Lines: []order.RefundLine{{
			Line: 1, ProductID: "espresso-cup", Name: "Espresso cup", Quantity: 2, Restock: 1,
			Value: money.Money{Amount: 2598, Currency: "USD"},
		}},
		Message: "One cup was chipped.", AcceptedAt: at(1), RefusedAt: at(2), FailedAt: at(3),
	}
	if change != nil {
		change(&r)
	}
	e, announced := order.NewRefundEvent(r)
	if !announced {
		t.Fatalf("a refund that is %s is not announced", status)
	}
	return e
}

// refunds are one event of each kind of body, by the name of its example.
func refunds(t *testing.T) map[string]order.RefundEvent {
	t.Helper()
	return map[string]order.RefundEvent{
		"refunded": refund(t, order.RefundSucceeded, nil),
		"units-returned": refund(t, order.RefundSucceeded, func(r *order.Refund) {
			r.ID = "0197a4b2-6c1e-7d3f-8a55-000000000072"
			r.Money, r.Amount.Amount, r.Message = order.NoMoney, 0, ""
		}),
		"refund-refused": refund(t, order.RefundRefused, func(r *order.Refund) {
			r.Cause = &order.RefundCause{
				Reason: order.GatewayRefused, By: order.RefusedByGateway, Message: "the payment can no longer be refunded",
			}
		}),
		"refund-failed": refund(t, order.RefundFailed, func(r *order.Refund) {
			r.Kind, r.Lines = order.Goodwill, nil
			r.Cause = order.GatewayRefund{Status: order.RefundFailed, Failure: "expired_or_canceled_card"}.Outcome().Cause
		}),
	}
}

// shipments are the events of a shipment, by the names of their examples.
func shipments() map[string]order.ShipmentEvent {
	events := order.NewShipmentEvents(order.Shipment{
		ID: "0197a4b2-6c1e-7d3f-8a55-000000000071", OrderID: confirmed(7).OrderID, UserID: 42, Status: order.Delivered,
		Lines:   []order.ShipmentLine{{Line: 1, ProductID: "espresso-cup", Name: "Espresso cup", Quantity: 2}},
		Carrier: "Parcel Post", Tracking: "PP 0042 4242",
		ShippedAt: time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC), DeliveredAt: time.Date(2026, 11, 5, 16, 30, 0, 0, time.UTC),
	})
	return map[string]order.ShipmentEvent{"shipped": events[0], "delivered": events[1]}
}

func TestBodiesAboutRefundsAndShipmentsAreAPublicFormat(t *testing.T) {
	t.Parallel()
	for name, e := range refunds(t) {
		m, err := encodeRefund(e)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, name, e, checkGolden(t, name, m.Body), e.MessageID(), DecodeRefund)
	}
	for name, e := range shipments() {
		m, err := encodeShipment(e)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, name, e, checkGolden(t, name, m.Body), e.MessageID(), DecodeShipment)
	}
}

// checkDecoded checks that the body is decoded to the event, and what is not quite the body to poison.
func checkDecoded[E any](t *testing.T, name string, want E, body []byte, id string, decode func(Message) (E, error)) {
	t.Helper()
	got, err := decode(Message{ID: id, Body: body})
	if err != nil {
		t.Errorf("decode %s: %v", name, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded %s (-want +got):\n%s", name, diff)
	}
	for what, m := range map[string]Message{
		"another message ID": {ID: "another", Body: body},
		"no message ID":      {Body: body},
		"no JSON":            {ID: id, Body: []byte("hello")},
		"another version":    {ID: id, Body: []byte(strings.Replace(string(body), `"version": 1`, `"version": 2`, 1))},
	} {
		if _, err := decode(m); !isPoison(err) {
			t.Errorf("%s with %s: got %v, want poison", name, what, err)
		}
	}
}

// TestAllEventsAboutARefundOrAShipmentAreInOneQueue publishes each twice, as a publisher that is unsure does.
func TestAllEventsAboutARefundOrAShipmentAreInOneQueue(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := map[string]map[string]int{QueueRefunds: {}, QueueShipments: {}}
	for range 2 {
		for _, e := range refunds(t) {
			if err := p.PublishRefund(ctx, e); err != nil {
				t.Fatal(err)
			}
			want[QueueRefunds][e.MessageID()+" "+string(e.Type)]++
		}
		for _, e := range shipments() {
			if err := p.PublishShipment(ctx, e); err != nil {
				t.Fatal(err)
			}
			want[QueueShipments][e.MessageID()+" "+string(e.Type)]++
		}
	}
	ch := rabbitmqtest.Channel(t, config.URL)
	got := map[string]map[string]int{QueueRefunds: {}, QueueShipments: {}}
	for queue, messages := range want {
		for range messages {
			for range 2 {
				d := take(t, ch, queue)
				got[queue][d.MessageId+" "+d.Type]++
				if d.CorrelationId != string(confirmed(7).OrderID) || d.RoutingKey != d.Type {
					t.Errorf("%s of order %s under %s", d.MessageId, d.CorrelationId, d.RoutingKey)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	areEmpty(t, config.URL, config.Topology.Queues...)
}

func TestAnEventAboutARefundOrAShipmentThatNoQueueTakesIsRefused(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for queue, of := range map[string]struct {
		event   order.EventType
		publish func() error
	}{
		QueueRefunds:   {order.EventRefundFailed, func() error { return p.PublishRefund(ctx, refunds(t)["refund-failed"]) }},
		QueueShipments: {order.EventDelivered, func() error { return p.PublishShipment(ctx, shipments()["delivered"]) }},
	} {
		if err := of.publish(); err != nil {
			t.Fatal(err)
		}
		if err := rabbitmqtest.Channel(t, config.URL).QueueUnbind(queue, string(of.event), Exchange, nil); err != nil {
			t.Fatal(err)
		}
		if err := of.publish(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s without its binding: got %v, want ErrRefused", of.event, err)
		}
		if err := of.publish(); err != nil {
			t.Errorf("%s after the repair: %v", of.event, err)
		}
	}
}
