package stripe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

const webhookSecret = "whsec_never_show_this"

func sign(body string, at time.Time, secret string) string {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: at}).Header
}

func TestOnlySignedPaymentEventsAreRead(t *testing.T) {
	t.Parallel()
	const succeeded = "payment_intent.succeeded"
	const paid = `{"id":"evt_1","object":"event","type":"` + succeeded + `",` +
		`"data":{"object":{"id":"pi_1","client_secret":"pi_1_secret_x"}}}`
	now := time.Now()
	good := sign(paid, now, webhookSecret)
	for name, test := range map[string]received{
		"well signed":             {paid, good, nil},
		"one byte changed":        {strings.Replace(paid, "pi_1", "pi_2", 1), good, stripe.ErrSignature},
		"one space added":         {paid + " ", good, stripe.ErrSignature},
		"no signature":            {paid, "", stripe.ErrSignature},
		"another secret":          {paid, sign(paid, now, "whsec_other"), stripe.ErrSignature},
		"signed too long ago":     {paid, sign(paid, now.Add(-stripe.EventTolerance-time.Minute), webhookSecret), stripe.ErrSignature},
		"nonsense in the header":  {paid, "t=now,v1=xyz", stripe.ErrSignature},
		"not JSON":                signed("{", stripe.ErrEvent),
		"not an event":            signed(`{"id":"evt_1"}`, stripe.ErrEvent),
		"an ID that is a path":    signed(strings.Replace(paid, "evt_1", "evt_../x", 1), stripe.ErrEvent),
		"a payment without an ID": signed(strings.Replace(paid, `"id":"pi_1"`, `"id":""`, 1), stripe.ErrEvent),
		"of another type":         signed(strings.Replace(paid, succeeded, "customer.created", 1), stripe.ErrOtherEvent),

		"a refund without a payment intent": signed(event("refund.failed", `null`), stripe.ErrOtherEvent),
		"a dispute of nonsense":             signed(event("charge.dispute.closed", `"pi_/.."`), stripe.ErrEvent),
	} {
		if _, err := stripe.ReadEvent([]byte(test.body), test.signature, webhookSecret); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// received is what arrives at the webhook, with the error that it must lead to.
type received struct {
	body, signature string
	want            error
}

func signed(body string, want error) received {
	return received{body, sign(body, time.Now(), webhookSecret), want}
}

// event is an event about something that belongs to a payment.
func event(kind, payment string) string {
	return `{"id":"evt_2","object":"event","type":"` + kind + `","data":{"object":{"id":"x_1","payment_intent":` + payment + `}}}`
}

func TestPaymentEventsNameThePayment(t *testing.T) {
	t.Parallel()
	bodies := map[order.PaymentEventType]string{
		order.PaymentSucceeded: `{"id":"evt_2","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}`,
	}
	for _, kind := range []order.PaymentEventType{
		order.PaymentRefunded, order.RefundCreated, order.RefundUpdated, order.RefundFailedLater, order.DisputeCreated,
		order.DisputeUpdated, order.DisputeClosed, order.DisputeWithdrawn, order.DisputeReinstated,
	} {
		bodies[kind] = event(string(kind), `"pi_1"`)
	}
	for kind, body := range bodies {
		want := order.PaymentEvent{ID: "evt_2", Type: kind, PaymentID: "pi_1"}
		got, err := stripe.ReadEvent([]byte(body), sign(body, time.Now(), webhookSecret), webhookSecret)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", kind, err, diff)
		}
	}
}
