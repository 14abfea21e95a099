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

// createKeys is how many keys there are to create an order's intent under. Every further one needs another stored 500.
const createKeys = 20

// errNeverCreated says that every key is stuck on a stored error: no intent's ID was ever learned, none ever will be.
const errNeverCreated = problem("the gateway has stored an error under every key")

// create returns the ID of the order's intent, which every caller learns alike, and whether an earlier call had made it.
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
			return "", false, problem("the gateway answered without an ID")
		case err == nil:
			return intent.ID, isReplay(intent.LastResponse), nil
		case !isStuck(err):
			return "", false, err
		}
	}
	return "", false, errNeverCreated
}

// createParams must give the very same parameters for the same order, always: they are compared on a replay.
func createParams(pay order.Payment, amount int64) *stripego.PaymentIntentCreateParams {
	return &stripego.PaymentIntentCreateParams{
		Amount:             stripego.Int64(amount),
		Currency:           stripego.String(strings.ToLower(pay.Amount.Currency)),
		PaymentMethod:      stripego.String(pay.Method),
		PaymentMethodTypes: []*string{stripego.String("card")}, // nothing that would redirect the customer
		Metadata:           map[string]string{orderIDKey: string(pay.OrderID)},
	}
}

// freshKey is for calls that name the intent: its status decides whether they do anything, so a repetition is harmless,
// and a stored error must not be replayed. (Without any key the library would invent one.)
func freshKey(pay order.Payment, call string) string {
	return fmt.Sprintf("%s.%s.%s", pay.OrderID, call, rand.Text())
}

// isReplay reports whether the gateway gave a stored answer.
func isReplay(res *stripego.APIResponse) bool {
	return res != nil && res.Header.Get("Idempotent-Replayed") == "true"
}

// isStuck reports whether err is a stored 5xx, which the same key will answer for as long as it is remembered.
func isStuck(err error) bool {
	var e *stripego.Error
	return errors.As(err, &e) && e.HTTPStatusCode >= http.StatusInternalServerError && isReplay(e.LastResponse)
}

// look retrieves the intent and says how it stands.
func (p *Payments) look(ctx context.Context, id string) (state, error) {
	params := &stripego.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	intent, err := p.client.V1PaymentIntents.Retrieve(ctx, id, params)
	if err != nil {
		return state{}, err
	}
	return stateOf(intent), nil
}

// search returns the IDs of the intents that carry the order's ID, as far as the gateway's index knows them.
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

// outcome is how an intent stands, in the words of this package.
type outcome int

const (
	open           outcome = iota // it can still be confirmed, or the gateway is at it
	taken                         // the money is taken
	partlyReturned                // some of it was given back
	returned                      // all of it was given back
	declined
	wantsAction // the customer would have to authenticate
	cancelled
)

type state struct {
	outcome     outcome
	declineCode string // of declined
}

// stateOf reads an intent. Refunds show only when latest_charge was expanded.
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
	return state{outcome: open} // requires_confirmation, processing, or nothing that we know
}

// result is the answer to a Charge. The intent must not be open.
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
