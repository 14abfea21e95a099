package gateway

import "time"

// intentObject is a payment intent as Stripe shows it, down to the fields that clients of this system could want.
type intentObject struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountCapturable   int64             `json:"amount_capturable"`
	AmountReceived     int64             `json:"amount_received"`
	CanceledAt         *int64            `json:"canceled_at"`
	CancellationReason *string           `json:"cancellation_reason"`
	CaptureMethod      string            `json:"capture_method"`
	ClientSecret       string            `json:"client_secret"`
	ConfirmationMethod string            `json:"confirmation_method"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Description        *string           `json:"description"`
	LastPaymentError   *errorBody        `json:"last_payment_error"`
	LatestCharge       any               `json:"latest_charge"` // an ID, or a chargeObject when expanded
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	NextAction         *nextAction       `json:"next_action"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	Status             string            `json:"status"`
}

type nextAction struct {
	Type         string         `json:"type"`
	UseStripeSDK map[string]any `json:"use_stripe_sdk"`
}

func (i *intent) object(c *call) *intentObject { return i.objectWith(c.expands("latest_charge")) }

func (i *intent) objectWith(expanded bool) *intentObject {
	o := &intentObject{
		ID: i.id, Object: "payment_intent", Amount: i.amount, CanceledAt: unix(i.canceledAt),
		CancellationReason: i.cancellationReason, CaptureMethod: i.captureMethod, ClientSecret: i.clientSecret,
		ConfirmationMethod: "automatic", Created: i.createdAt.Unix(), Currency: i.currency, Description: i.description,
		LastPaymentError: i.lastError, Metadata: i.metadata, PaymentMethod: i.method, PaymentMethodTypes: []string{"card"},
		Status: i.status,
	}
	if i.charge != nil {
		o.LatestCharge, o.AmountReceived = i.charge.id, i.charge.captured
		if expanded {
			o.LatestCharge = i.charge.object(i)
		}
	}
	switch i.status {
	case requiresCapture:
		o.AmountCapturable = i.amount
	case requiresAction:
		o.NextAction = &nextAction{Type: "use_stripe_sdk", UseStripeSDK: map[string]any{}}
	}
	return o
}

type chargeObject struct {
	ID             string  `json:"id"`
	Object         string  `json:"object"`
	Amount         int64   `json:"amount"`
	AmountCaptured int64   `json:"amount_captured"`
	AmountRefunded int64   `json:"amount_refunded"`
	Captured       bool    `json:"captured"`
	Created        int64   `json:"created"`
	Currency       string  `json:"currency"`
	FailureCode    *string `json:"failure_code"`
	Livemode       bool    `json:"livemode"`
	Paid           bool    `json:"paid"`
	PaymentIntent  string  `json:"payment_intent"`
	PaymentMethod  string  `json:"payment_method"`
	Refunded       bool    `json:"refunded"` // all of it
	Status         string  `json:"status"`
}

func (ch *charge) object(i *intent) chargeObject {
	return chargeObject{
		ID: ch.id, Object: "charge", Amount: ch.amount, AmountCaptured: ch.captured, AmountRefunded: ch.refunded,
		Captured: ch.captured > 0, Created: ch.createdAt.Unix(), Currency: i.currency, FailureCode: ch.failureCode,
		Paid: ch.status == succeeded, PaymentIntent: i.id, PaymentMethod: ch.method,
		Refunded: ch.captured > 0 && ch.refunded == ch.captured, Status: ch.status,
	}
}

type refundObject struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Charge        string            `json:"charge"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent string            `json:"payment_intent"`
	Reason        *string           `json:"reason"`
	Status        string            `json:"status"`
}

// page is a list or a search result.
type page[T any] struct {
	Object   string  `json:"object"`
	URL      string  `json:"url"`
	HasMore  bool    `json:"has_more"`
	NextPage *string `json:"next_page,omitempty"` // of a search: what to send as page
	Data     []T     `json:"data"`
}

func unix(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	seconds := t.Unix()
	return &seconds
}
