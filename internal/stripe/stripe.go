package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/httpclient"
	"github.com/ordersaga/ordersaga/internal/order"
)

// DefaultTimeout bounds one call to the gateway. A confirm usually takes a second or two; after a timeout the intent is looked
// up.
const DefaultTimeout = 5 * time.Second

const (
	// keysTrusted is how long after the order's creation its idempotency keys are used. Stripe keeps them for 24 h.
	keysTrusted = 23 * time.Hour
	// searchTrusted is the age of an order at which an empty search result proves that there is no payment: nothing is
	// created after keysTrusted, and Stripe's search lags a minute as a rule and an hour at worst.
	searchTrusted = keysTrusted + time.Hour
)

// Config says how to reach the gateway.
type Config struct {
	URL     string        // https://api.stripe.com, or the simulator's
	Key     string        // the secret API key
	Timeout time.Duration // of one call; DefaultTimeout when zero

	Now       func() time.Time  // the clock; time.Now when nil
	Transport http.RoundTripper // a new transport when nil
}

// Payments charges and refunds orders. It is safe for concurrent use.
type Payments struct {
	client *stripego.Client
	now    func() time.Time
	log    *slog.Logger
}

// New returns payments through the gateway. It does not connect; Check does.
func New(c Config, log *slog.Logger) (*Payments, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, errors.New("the payment gateway's URL: want http(s)://host:port without a user")
	}
	if c.Key == "" {
		return nil, errors.New("the payment gateway's API key is empty")
	}
	if c.Transport == nil {
		c.Transport = httpclient.NewTransport()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	backend := &stripego.BackendConfig{
		URL: &c.URL,
		HTTPClient: &http.Client{
			Timeout:   cmp.Or(c.Timeout, DefaultTimeout),
			Transport: c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { // the key is sent nowhere else
				return http.ErrUseLastResponse
			},
		},
		// The saga retries, under a policy that operators see.
		MaxNetworkRetries: stripego.Int64(0),
		EnableTelemetry:   stripego.Bool(false),
		// The library logs errors together with the gateway's responses. Our errors hold everything worth knowing.
		LeveledLogger: &stripego.LeveledLogger{Level: stripego.LevelNull},
	}
	client := stripego.NewClient(c.Key, stripego.WithBackends(stripego.NewBackendsWithConfig(backend)))
	return &Payments{client: client, now: c.Now, log: log}, nil
}

// Check returns nil if the gateway responds and accepts the API key.
func (p *Payments) Check(ctx context.Context) error {
	list := p.client.V1PaymentIntents.List(ctx, &stripego.PaymentIntentListParams{
		ListParams: stripego.ListParams{Limit: stripego.Int64(1), Single: true},
	})
	return wrap("check the payment gateway", list.Err())
}

// Charge takes the payment once, even if it is called again, and returns the intent's ID. It returns a refusal if the card is
// declined, if the customer would have to authenticate, if the amount or the payment method cannot be charged, and after a
// Refund.
func (p *Payments) Charge(ctx context.Context, pay order.Payment) (paymentID string, err error) {
	if err := check(pay); err != nil {
		return "", fmt.Errorf("charge order %s: %w", pay.OrderID, err)
	}
	if !p.keysAreKnown(pay) {
		return p.chargedBefore(ctx, pay)
	}
	id, replayed, err := p.create(ctx, pay)
	if err != nil {
		return "", p.refusedOrBroken("create the payment of", pay, err)
	}
	if replayed { // an earlier call may have finished it: look first
		state, err := p.look(ctx, id)
		if err != nil {
			return "", p.refusedOrBroken("look up the payment of", pay, err)
		}
		if state.outcome != open {
			return state.result(id)
		}
	}
	return p.confirm(ctx, pay, id)
}

// confirm takes the money. It trusts only the response to this very call; after any other outcome it looks the intent up.
func (p *Payments) confirm(ctx context.Context, pay order.Payment, id string) (string, error) {
	params := &stripego.PaymentIntentConfirmParams{}
	params.SetIdempotencyKey(freshKey(pay, "confirm"))
	intent, err := p.client.V1PaymentIntents.Confirm(ctx, id, params)
	if err == nil {
		if state := stateOf(intent); state.outcome != open {
			return state.result(id)
		}
	}
	if isDecline(err) {
		return "", p.refusedOrBroken("confirm the payment of", pay, err)
	}
	state, lookErr := p.look(ctx, id)
	if lookErr == nil && state.outcome != open {
		return state.result(id)
	}
	if err == nil {
		err = problem("it is neither done nor refused yet")
	}
	return "", p.refusedOrBroken("confirm the payment of", pay, err)
}

// chargedBefore is Charge for an order that is too old for a create: it only finds an earlier charge.
func (p *Payments) chargedBefore(ctx context.Context, pay order.Payment) (string, error) {
	ids, err := p.search(ctx, pay)
	if err != nil {
		return "", p.refusedOrBroken("search for the payment of", pay, err)
	}
	var ended *state
	for _, id := range ids {
		state, err := p.look(ctx, id)
		if err != nil {
			return "", p.refusedOrBroken("look up the payment of", pay, err)
		}
		if state.outcome == taken {
			return id, nil
		}
		if state.outcome != open {
			ended = &state
		}
	}
	if ended != nil {
		return ended.result("")
	}
	return "", fmt.Errorf("charge order %s: it is older than %s, so the gateway may have forgotten an earlier attempt",
		pay.OrderID, keysTrusted)
}

// Refund makes sure that the gateway keeps no money for the payment, now or later. Once it has returned nil, a Charge that is
// still under way or comes later is refused.
func (p *Payments) Refund(ctx context.Context, pay order.Payment) error {
	if err := check(pay); err != nil {
		return fmt.Errorf("refund order %s: %w", pay.OrderID, err)
	}
	if !p.keysAreKnown(pay) {
		return p.refundFound(ctx, pay)
	}
	id, _, err := p.create(ctx, pay)
	if errors.Is(err, errNeverCreated) || asRefusal(err) != nil { // then every Charge is refused as well
		return nil
	}
	if err != nil {
		return wrapOrder("find the payment of", pay, err)
	}
	return p.giveBack(ctx, pay, id)
}

// refundFound is Refund for an order that is too old for a replay.
func (p *Payments) refundFound(ctx context.Context, pay order.Payment) error {
	ids, err := p.search(ctx, pay)
	if err != nil {
		return wrapOrder("search for the payment of", pay, err)
	}
	for _, id := range ids {
		if err := p.giveBack(ctx, pay, id); err != nil {
			return err
		}
	}
	if age := p.now().Sub(pay.OrderedAt); age < searchTrusted {
		return fmt.Errorf("refund order %s: the gateway's search may not know its last payment yet; to be asked again until %s",
			pay.OrderID, pay.OrderedAt.Add(searchTrusted).UTC().Format(time.RFC3339))
	}
	return nil
}

// giveBack cancels the intent or, if it is too late for that, refunds it.
func (p *Payments) giveBack(ctx context.Context, pay order.Payment, id string) error {
	params := &stripego.PaymentIntentCancelParams{}
	params.SetIdempotencyKey(freshKey(pay, "cancel"))
	intent, err := p.client.V1PaymentIntents.Cancel(ctx, id, params)
	if err == nil && stateOf(intent).outcome == cancelled {
		return nil
	}
	state, lookErr := p.look(ctx, id)
	switch {
	case lookErr != nil:
		return wrapOrder("cancel the payment of", pay, cmp.Or(err, lookErr))
	case state.outcome == cancelled || state.outcome == returned:
		return nil
	case state.outcome == taken || state.outcome == partlyReturned:
		return p.refund(ctx, pay, id)
	case err == nil:
		err = problem("the gateway has not cancelled it")
	}
	return wrapOrder("cancel the payment of", pay, err)
}

// refund gives back all that is left of a payment that has succeeded. The key is derived from order and payment, so a repeated
// call gets the first response. If that response is out of date (a stored error, a refund that has failed since), a fresh key
// follows. That is safe because the gateway refuses to give back more than was taken.
func (p *Payments) refund(ctx context.Context, pay order.Payment, id string) error {
	replayed, err := p.refundUnder(ctx, fmt.Sprintf("%s.refund.%s", pay.OrderID, id), pay, id)
	if err == nil && !replayed {
		return nil
	}
	if state, lookErr := p.look(ctx, id); lookErr == nil && state.outcome == returned {
		return nil
	}
	if err == nil || isStuck(err) {
		_, err = p.refundUnder(ctx, freshKey(pay, "refund"), pay, id)
	}
	return wrapOrder("refund the payment of", pay, err)
}

func (p *Payments) refundUnder(ctx context.Context, key string, pay order.Payment, id string) (replayed bool, err error) {
	params := &stripego.RefundCreateParams{
		PaymentIntent: &id,
		Metadata:      map[string]string{orderIDKey: string(pay.OrderID)},
	}
	params.SetIdempotencyKey(key)
	refund, err := p.client.V1Refunds.Create(ctx, params)
	if err != nil {
		return false, err
	}
	switch refund.Status {
	case stripego.RefundStatusSucceeded, stripego.RefundStatusPending:
		return isReplay(refund.LastResponse), nil
	}
	return false, problem(fmt.Sprintf("the refund is %q at the gateway: an operator has to look at it there", refund.Status))
}

// keysAreKnown reports whether the gateway certainly still remembers the order's keys.
func (p *Payments) keysAreKnown(pay order.Payment) bool {
	return p.now().Sub(pay.OrderedAt) < keysTrusted
}
