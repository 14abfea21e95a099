package stripe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/order"
)

// orderIDKey is the metadata key under which the gateway keeps the order's ID.
const orderIDKey = "order_id"

// createKeys is how many keys there are for creating an order's intent. Each but the first needs another stored 500.
const createKeys = 20

// errNeverCreated says that every key is stuck on a stored error, so no intent's ID was ever learned or ever will be.
const errNeverCreated = problem("the gateway has stored an error under every key")

// create returns the ID of the order's intent, which is the same for every caller, and whether an earlier call created it.
func (p *Payments) create(ctx context.Context, pay order.Payment) (id string, replayed bool, err error) {
	amount, err := smallestUnits(pay.Amount)
	if err != nil {
		return "", false, err
	}
	for n := 1; n <= createKeys; n++ {
		params := createParams(pay, amount)
		params.SetIdempotencyKey(fmt.Sprintf("%s.create.%d", pay.OrderID, n))
		intent, err := p.client.V1PaymentIntents.Create(ctx, params)
		switch {
		case err == nil && intent.ID == "":
			return "", false, problem("the gateway's response has no ID")
		case err == nil:
			return intent.ID, isReplay(intent.LastResponse), nil
		case !isStuck(err):
			return "", false, err
		}
	}
	return "", false, errNeverCreated
}

// createParams must always return the same parameters for the same order, because the gateway compares them on a replay.
func createParams(pay order.Payment, amount int64) *stripego.PaymentIntentCreateParams {
	return &stripego.PaymentIntentCreateParams{
		Amount:             stripego.Int64(amount),
		Currency:           stripego.String(strings.ToLower(pay.Amount.Currency)),
		PaymentMethod:      stripego.String(pay.Method),
		PaymentMethodTypes: []*string{stripego.String("card")}, // no method that would redirect the customer
		Metadata:           map[string]string{orderIDKey: string(pay.OrderID)},
	}
}

// freshKey is for calls that name the intent. Its status decides whether they do anything, so repeating them is harmless, and
// a stored error must not be replayed. (Without a key the library would invent one.)
func freshKey(pay order.Payment, call string) string {
	return fmt.Sprintf("%s.%s.%s", pay.OrderID, call, rand.Text())
}

// isReplay reports whether the gateway returned a stored response.
func isReplay(res *stripego.APIResponse) bool {
	return res != nil && res.Header.Get("Idempotent-Replayed") == "true"
}

// isStuck reports whether err is a stored 5xx, which the gateway will return for as long as it remembers the key.
func isStuck(err error) bool {
	var e *stripego.Error
	return errors.As(err, &e) && e.HTTPStatusCode >= http.StatusInternalServerError && isReplay(e.LastResponse)
}

// look retrieves the intent's state.
func (p *Payments) look(ctx context.Context, id string) (state, error) {
	intent, err := p.retrieve(ctx, id)
	if err != nil {
		return state{}, err
	}
	return stateOf(intent), nil
}

func (p *Payments) retrieve(ctx context.Context, id string) (*stripego.PaymentIntent, error) {
	params := &stripego.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	return p.client.V1PaymentIntents.Retrieve(ctx, id, params)
}

// search returns the IDs of the order's intents that the gateway's index knows.
func (p *Payments) search(ctx context.Context, pay order.Payment) ([]string, error) {
	params := &stripego.PaymentIntentSearchParams{}
	params.Query = fmt.Sprintf("metadata['%s']:'%s'", orderIDKey, pay.OrderID)
	params.Limit = stripego.Int64(100)
	var ids []string
	for intent, err := range p.client.V1PaymentIntents.Search(ctx, params).All(ctx) {
		if err != nil {
			return nil, err
		}
		if intent.Metadata[orderIDKey] == string(pay.OrderID) {
			ids = append(ids, intent.ID)
		}
	}
	return ids, nil
}

// outcome is an intent's status in the terms of this package.
type outcome int

const (
	open           outcome = iota // it can still be confirmed, or is being confirmed
	taken                         // the money is taken
	partlyReturned                // some of it was refunded
	returned                      // all of it was refunded
	declined
	wantsAction // the customer would have to authenticate
	cancelled
)

type state struct {
	outcome     outcome
	declineCode string // of declined
}

// stateOf returns an intent's state. It sees refunds only if latest_charge was expanded.
func stateOf(intent *stripego.PaymentIntent) state {
	switch intent.Status {
	case stripego.PaymentIntentStatusSucceeded:
		switch ch := intent.LatestCharge; {
		case ch == nil || ch.AmountRefunded == 0:
			return state{outcome: taken}
		case ch.AmountRefunded < ch.AmountCaptured:
			return state{outcome: partlyReturned}
		}
		return state{outcome: returned}
	case stripego.PaymentIntentStatusCanceled:
		return state{outcome: cancelled}
	case stripego.PaymentIntentStatusRequiresAction:
		return state{outcome: wantsAction}
	case stripego.PaymentIntentStatusRequiresPaymentMethod:
		if e := intent.LastPaymentError; e != nil {
			return state{outcome: declined, declineCode: declineCode(e)}
		}
	}
	return state{outcome: open} // requires_confirmation, processing, or an unknown status
}

// result is the result of a Charge. The intent must not be open.
func (s state) result(id string) (string, error) {
	switch s.outcome {
	case taken:
		return id, nil
	case declined:
		return "", decline(s.declineCode)
	case wantsAction:
		return "", decline(codeAuthentication)
	case cancelled:
		return "", decline(codeCancelled)
	case returned, partlyReturned:
		return "", decline(codeRefunded)
	}
	return "", fmt.Errorf("payment %s: its outcome is not known yet", id)
}
