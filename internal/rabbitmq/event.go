package rabbitmq

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/order"
)

const contentType = "application/json"

// encode returns the message of an event. It has the event's ID, so that consumers recognise a repetition, and the
// order's ID as correlation ID. testdata shows the bodies.
func encode(e order.Event) (amqp.Publishing, error) {
	return encodeJSON(e, e.MessageID(), e.OrderID, e.Type, e.OccurredAt)
}

// encodeAlert is encode for alerts.
func encodeAlert(a order.Alert) (amqp.Publishing, error) {
	return encodeJSON(a, a.MessageID(), a.OrderID, a.Type, a.Since)
}

// encodeRefund is encode for events about refunds.
func encodeRefund(e order.RefundEvent) (amqp.Publishing, error) {
	return encodeJSON(e, e.MessageID(), e.OrderID, e.Type, e.OccurredAt)
}

// encodeShipment is encode for events about shipments.
func encodeShipment(e order.ShipmentEvent) (amqp.Publishing, error) {
	return encodeJSON(e, e.MessageID(), e.OrderID, e.Type, e.OccurredAt)
}

func encodeJSON(body any, id string, of order.ID, kind order.EventType, at time.Time) (amqp.Publishing, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return amqp.Publishing{}, fmt.Errorf("encode the message: %w", err)
	}
	return amqp.Publishing{
		MessageId: id, CorrelationId: string(of), Type: string(kind), Timestamp: at,
		ContentType: contentType, DeliveryMode: amqp.Persistent, Body: encoded,
	}, nil
}

// DecodeEvent returns the event in a message. It ignores unknown fields, so that publishers can add some. Any other
// mistake is Poison: another version, invalid JSON, no message ID.
func DecodeEvent(m Message) (order.Event, error) {
	var e order.Event
	if err := decode(m, &e); err != nil {
		return e, err
	}
	return e, check(m, e.Version, order.EventVersion, e.OrderID, e.MessageID())
}

// DecodeAlert is DecodeEvent for alerts.
func DecodeAlert(m Message) (order.Alert, error) {
	var a order.Alert
	if err := decode(m, &a); err != nil {
		return a, err
	}
	return a, check(m, a.Version, order.AlertVersion, a.OrderID, a.MessageID())
}

// DecodeRefund is DecodeEvent for events about refunds.
func DecodeRefund(m Message) (order.RefundEvent, error) {
	var e order.RefundEvent
	if err := decode(m, &e); err != nil {
		return e, err
	}
	return e, check(m, e.Version, order.EventVersion, e.OrderID, e.MessageID())
}

// DecodeShipment is DecodeEvent for events about shipments.
func DecodeShipment(m Message) (order.ShipmentEvent, error) {
	var e order.ShipmentEvent
	if err := decode(m, &e); err != nil {
		return e, err
	}
	return e, check(m, e.Version, order.EventVersion, e.OrderID, e.MessageID())
}

func decode(m Message, into any) error {
	if m.ID == "" {
		return Poison(errors.New("the message has no ID"))
	}
	if err := json.Unmarshal(m.Body, into); err != nil {
		return Poison(fmt.Errorf("the body is not an event: %w", err))
	}
	return nil
}

// check returns nil if the body has the known version and belongs to its message.
func check(m Message, version, known int, orderID order.ID, messageID string) error {
	if version != known {
		return Poison(fmt.Errorf("the event has version %d, and only version %d is known", version, known))
	}
	if _, err := order.ParseID(string(orderID)); err != nil {
		return Poison(err)
	}
	if m.ID != messageID {
		return Poison(fmt.Errorf("the message's ID is %q but its event's is %q", m.ID, messageID))
	}
	return nil
}
