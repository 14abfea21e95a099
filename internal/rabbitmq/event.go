package rabbitmq

import (
	"encoding/json"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"ordersaga/internal/order"
)

const contentType = "application/json"

// encode makes the message of an event. Its ID is the event's, so that a repetition is recognised; its correlation ID
// is the order's. testdata shows bodies.
func encode(e order.Event) (amqp.Publishing, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return amqp.Publishing{}, fmt.Errorf("encode the event: %w", err)
	}
	return amqp.Publishing{
		ContentType:   contentType,
		DeliveryMode:  amqp.Persistent,
		MessageId:     e.MessageID(),
		CorrelationId: string(e.OrderID),
		Type:          string(e.Type),
		Timestamp:     e.OccurredAt,
		Body:          body,
	}, nil
}

// DecodeEvent returns the event that a message holds. Fields that it does not know are left out, so that publishers can
// add some; everything else that is wrong is Poison: another version, no JSON, no message ID.
func DecodeEvent(m Message) (order.Event, error) {
	var e order.Event
	if m.ID == "" {
		return e, Poison(fmt.Errorf("the message has no ID"))
	}
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return e, Poison(fmt.Errorf("the body is not an event: %w", err))
	}
	if e.Version != order.EventVersion {
		return e, Poison(fmt.Errorf("the event has version %d, and only version %d is known", e.Version, order.EventVersion))
	}
	if _, err := order.ParseID(string(e.OrderID)); err != nil {
		return e, Poison(err)
	}
	if m.ID != e.MessageID() {
		return e, Poison(fmt.Errorf("the message's ID is %q but its event's is %q", m.ID, e.MessageID()))
	}
	return e, nil
}
