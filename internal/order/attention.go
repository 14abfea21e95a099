package order

import (
	"fmt"
	"time"
)

// EventNeedsAttention says to operators that an order's saga cannot go on by itself. It is no end of the order.
const EventNeedsAttention EventType = "ORDER_NEEDS_ATTENTION"

// AttentionVersion is the version of Attention's JSON. Consumers refuse versions that they do not know.
const AttentionVersion = 1

// Attention is the body of a message about an order in trouble, for operators. It is published best effort: the broker
// may be what is down.
type Attention struct {
	Version int       `json:"version"`
	Type    EventType `json:"type"`
	OrderID ID        `json:"orderId"`
	UserID  int64     `json:"userId"`
	Step    string    `json:"step"`   // that stays broken, as in ChargePayment
	Since   time.Time `json:"since"`  // when patience with it ran out
	Error   string    `json:"error"`  // of its last attempt
	Advice  string    `json:"advice"` // what can be done, in Markdown
}

// NewAttention returns the message about an order whose step has been in trouble since a time.
func NewAttention(id ID, userID int64, step string, since time.Time, message, advice string) Attention {
	return Attention{
		Version: AttentionVersion, Type: EventNeedsAttention,
		OrderID: id, UserID: userID, Step: step, Since: since, Error: message, Advice: advice,
	}
}

// MessageID identifies the trouble: however often the alarm is raised, consumers act on it once. The same step in
// trouble again is another trouble.
func (a Attention) MessageID() string {
	return fmt.Sprintf("%s.%s.%s.%d", a.OrderID, EventNeedsAttention, a.Step, a.Since.UnixMilli())
}
