package gateway

import "crypto/rand"

// newID returns an identifier that cannot be guessed, for example pi_ABCDEF….
func newID(prefix string) string { return prefix + "_" + rand.Text()[:24] }

// intentObject is a payment intent as Stripe shows it, with the fields that clients of this system may want.
type intentObject struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountReceived     int64             `json:"amount_received"`
	ClientSecret       string            `json:"client_secret"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	LastPaymentError   *errorBody        `json:"last_payment_error"`
	LatestCharge       any               `json:"latest_charge"` // an ID, or a chargeObject if expanded
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	Status             string            `json:"status"`
}

func (i *intent) object(expanded bool) *intentObject {
	o := &intentObject{
		ID: i.ID, Object: "payment_intent", Amount: i.Amount, ClientSecret: i.ClientSecret, Created: i.CreatedAt.Unix(),
		Currency: i.Currency, LastPaymentError: i.LastError, Metadata: i.Metadata, PaymentMethod: i.Method,
		PaymentMethodTypes: []string{"card"}, Status: i.Status,
	}
	if i.Charge != nil {
		o.LatestCharge, o.AmountReceived = i.Charge.ID, i.Charge.Captured
		if expanded {
			o.LatestCharge = i.Charge.object(i)
		}
	}
	return o
}

type chargeObject struct {
	ID             string  `json:"id"`
	Object         string  `json:"object"`
	Amount         int64   `json:"amount"`
	AmountCaptured int64   `json:"amount_captured"`
	AmountRefunded int64   `json:"amount_refunded"`
	Created        int64   `json:"created"`
	Currency       string  `json:"currency"`
	FailureCode    *string `json:"failure_code"`
	Livemode       bool    `json:"livemode"`
	PaymentIntent  string  `json:"payment_intent"`
	PaymentMethod  string  `json:"payment_method"`
	Refunded       bool    `json:"refunded"` // all of it
	Status         string  `json:"status"`
}

func (ch *Charge) object(i *intent) chargeObject {
	o := chargeObject{
		ID: ch.ID, Object: "charge", Amount: ch.Amount, AmountCaptured: ch.Captured, AmountRefunded: ch.Refunded,
		Created: ch.CreatedAt.Unix(), Currency: i.Currency, PaymentIntent: i.ID,
		PaymentMethod: ch.PaymentMethod, Refunded: ch.Captured > 0 && ch.Refunded == ch.Captured, Status: ch.Status,
	}
	if ch.FailureCode != "" {
		o.FailureCode = &ch.FailureCode
	}
	return o
}

type refundObject struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Charge        string            `json:"charge"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	FailureReason string            `json:"failure_reason,omitempty"`
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent string            `json:"payment_intent"`
	Status        string            `json:"status"`
}

func (r *refund) object() refundObject {
	return refundObject{
		ID: r.ID, Object: "refund", Amount: r.Amount, Charge: r.ChargeID, Created: r.CreatedAt.Unix(), Currency: r.Currency,
		FailureReason: r.FailureReason, Metadata: r.Metadata, PaymentIntent: r.IntentID, Status: r.Status,
	}
}

type disputeObject struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	Charge             string            `json:"charge"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	IsChargeRefundable bool              `json:"is_charge_refundable"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	PaymentIntent      string            `json:"payment_intent"`
	Reason             string            `json:"reason"`
	Status             string            `json:"status"`
}

func (d *dispute) object() disputeObject {
	return disputeObject{
		ID: d.ID, Object: "dispute", Amount: d.Amount, Charge: d.ChargeID, Created: d.CreatedAt.Unix(), Currency: d.Currency,
		IsChargeRefundable: !d.blocksRefunds(), Metadata: map[string]string{}, PaymentIntent: d.IntentID, Reason: d.Reason,
		Status: d.Status,
	}
}

// page is a page of a list or of a search result.
type page struct {
	Object   string `json:"object"`
	URL      string `json:"url"`
	HasMore  bool   `json:"has_more"`
	NextPage string `json:"next_page,omitempty"` // of a search: the parameter page for the next one
	Data     any    `json:"data"`
}
