package stripe_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

var (
	eventID   = regexp.MustCompile(`^evt_[A-Za-z0-9_]{1,251}$`)
	paymentID = regexp.MustCompile(`^pi_[A-Za-z0-9_]{1,252}$`)
)

// FuzzReadEvent feeds arbitrary bytes to ReadEvent. It must accept nothing without a signature, and from signed bodies only
// references that are safe in a workflow ID and in a URL.
func FuzzReadEvent(f *testing.F) {
	for _, body := range []string{
		`{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}`,
		`{"id":"evt_2","object":"event","type":"charge.refunded","data":{"object":{"id":"ch_1","payment_intent":"pi_1"}}}`,
		`{"id":"evt_2","object":"event","type":"charge.refunded","data":{"object":{"id":"ch_1","payment_intent":null}}}`,
		`{"id":"evt_3","object":"event","type":"refund.failed","data":{"object":{"id":"re_1","payment_intent":"pi_1"}}}`,
		`{"id":"evt_4","object":"event","type":"charge.dispute.created","data":{"object":{"id":"dp_1","payment_intent":["pi_1"]}}}`,
		`{"id":"evt_1","object":"event","type":"customer.created","data":{"object":[]}}`,
		`{"id":"evt_../x","id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_\u0000"}}}`,
		`{"ID":"evt_1","OBJECT":"event","data":null}`, `null`, `[]`, `{`, "",
	} {
		f.Add([]byte(body), sign(body, time.Now(), "whsec_of_another_account"))
	}
	f.Add([]byte("{}"), "t=99999999999999999999,v1=00,v1=,=,t=")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		event, err := stripe.ReadEvent(body, signature, webhookSecret)
		if !errors.Is(err, stripe.ErrSignature) || event != (order.PaymentEvent{}) {
			t.Errorf("unsigned: %+v, %v", event, err)
		}
		event, err = stripe.ReadEvent(body, sign(string(body), time.Now(), webhookSecret), webhookSecret)
		switch {
		case err == nil && (!eventID.MatchString(event.ID) || !paymentID.MatchString(event.PaymentID)):
			t.Errorf("signed: %+v", event)
		case err != nil && (event != order.PaymentEvent{} || !errors.Is(err, stripe.ErrEvent) && !errors.Is(err, stripe.ErrOtherEvent)):
			t.Errorf("signed: %+v, %v", event, err)
		}
	})
}
