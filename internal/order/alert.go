package order

import (
	"fmt"
	"time"
)

// EventNeedsAttention tells operators that a step of an order's saga stays broken. It does not end the order.
const EventNeedsAttention EventType = "ORDER_NEEDS_ATTENTION"

// AlertVersion is the version of Alert's JSON. Consumers refuse versions that they do not know.
const AlertVersion = 1

// Alert is the body of the message that tells operators that an order needs attention. It is published best effort: the
// broker may be what is down.
type Alert struct {
	Version int       `json:"version"`
	Type    EventType `json:"type"`
	OrderID ID        `json:"orderId"`
	UserID  int64     `json:"userId"`
	Step    string    `json:"step"`   // the step that stays broken, for example ChargePayment
	Since   time.Time `json:"since"`  // when patience with it ran out
	Error   string    `json:"error"`  // of its last attempt
	Advice  string    `json:"advice"` // what an operator can do, in Markdown
}

// NewAlert returns the alert for an order whose step has needed attention since a time.
func NewAlert(id ID, userID int64, step string, since time.Time, message, advice string) Alert {
	return Alert{
		Version: AlertVersion, Type: EventNeedsAttention,
		OrderID: id, UserID: userID, Step: step, Since: since, Error: message, Advice: advice,
	}
}

// MessageID is the same each time the alert is sent, so consumers act on it once. When the same step needs attention again
// later, that is another alert.
func (a Alert) MessageID() string {
	return fmt.Sprintf("%s.%s.%s.%d", a.OrderID, EventNeedsAttention, a.Step, a.Since.UnixMilli())
}
