package stripe

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/order"
)

// refundIDKey is the metadata key under which the gateway keeps the ID of a refund that we asked for.
const refundIDKey = "refund_id"

const (
	// keyDay is how long Stripe keeps an idempotency key, and how long ours for a refund are used at most.
	keyDay = 24 * time.Hour
	// refundKeys is how many keys a day has. Each but the first needs another stored 500 without effect.
	refundKeys = 20
)

// RefundPart gives the refund's amount back once, however often it is called, and returns what the gateway says of it now.
// The outcome is REFUSED, with the cause, if the gateway said no for good and has no refund of this ID. An error means broken:
// the refund may have happened.
func (p *Payments) RefundPart(ctx context.Context, r order.Refund) (order.RefundOutcome, error) {
	params, err := refundParams(r)
	if err != nil {
		return order.RefundOutcome{}, wrapRefund("ask for", r, err)
	}
	age := max(p.now().Sub(r.CreatedAt), 0)
	if age >= keysTrusted { // the gateway may have forgotten the earlier attempts
		outcome, found, err := p.FindRefund(ctx, r)
		if err != nil || found {
			return outcome, err
		}
	}
	if age%keyDay >= keysTrusted {
		return order.RefundOutcome{}, fmt.Errorf(
			"refund %s of order %s: the gateway does not have it, and may be forgetting an attempt; to be asked again from %s",
			r.ID, r.OrderID, r.CreatedAt.Add(age.Truncate(keyDay)+keyDay).UTC().Format(time.RFC3339))
	}
	for n := 1; n <= refundKeys; n++ {
		params.SetIdempotencyKey(refundKey(r.ID, int(age/keyDay), n))
		outcome, err := p.ask(ctx, r, params)
		if !errors.Is(err, errNextKey) {
			return outcome, wrapRefund("ask for", r, err)
		}
	}
	return order.RefundOutcome{}, wrapRefund("ask for", r, errNeverCreated)
}

// refundParams must always return the same parameters for the same refund, because the gateway compares them on a replay.
func refundParams(r order.Refund) (*stripego.RefundCreateParams, error) {
	if err := checkRefund(r); err != nil {
		return nil, err
	}
	amount, err := smallestUnits(r.Amount)
	if err != nil { // a refusal would end the refund, and this is not the gateway's
		return nil, problem(err.Error())
	}
	return &stripego.RefundCreateParams{
		Amount:        &amount,
		PaymentIntent: &r.PaymentID,
		Metadata:      map[string]string{orderIDKey: string(r.OrderID), refundIDKey: string(r.ID)},
	}, nil
}

// checkRefund rejects refunds that cannot be handled safely. These are mistakes of the caller.
func checkRefund(r order.Refund) error {
	if _, err := order.ParseID(string(r.OrderID)); err != nil {
		return err
	}
	if _, err := order.ParseID(string(r.ID)); err != nil {
		return problem("the refund's ID is not a UUID in lower case")
	}
	if err := r.Amount.Validate(); err != nil {
		return problem("its amount: " + err.Error())
	}
	switch {
	case r.Amount.Amount == 0:
		return problem("it has no amount")
	case !isReference(r.PaymentID, "pi_"):
		return problem("its payment's ID is not one of the gateway's")
	case r.CreatedAt.IsZero():
		return problem("it does not say when it was booked")
	}
	return nil
}

// refundKey is the idempotency key of the nth attempt on a day since the booking. The gateway forgets keys after a day, so
// each day has its own. Nothing is posted in the last hour of a day, so that no attempt of one day is under way in the next.
func refundKey(id order.RefundID, day, n int) string {
	if day == 0 {
		return fmt.Sprintf("%s.%d", id, n)
	}
	return fmt.Sprintf("%s.d%d.%d", id, day, n)
}

// errNextKey says that the gateway has stored a 500 under the key and has no refund of this ID.
const errNextKey = problem("the gateway has stored an error under the key")

// ask asks for the refund under the key in params. What it cannot take from the response to this very call it looks up.
func (p *Payments) ask(ctx context.Context, r order.Refund, params *stripego.RefundCreateParams) (order.RefundOutcome, error) {
	refund, err := p.client.V1Refunds.Create(ctx, params)
	if err == nil && refund.ID != "" && isReplay(refund.LastResponse) { // its status may have changed since
		refund, err = p.client.V1Refunds.Retrieve(ctx, refund.ID, nil)
		if err != nil {
			return order.RefundOutcome{}, err
		}
	}
	switch {
	case err == nil && refund.ID == "":
		return order.RefundOutcome{}, problem("the gateway's response has no ID")
	case err == nil:
		return gatewayRefund(refund).Outcome(), nil
	case !worthALook(err):
		return order.RefundOutcome{}, err
	}
	outcome, found, lookErr := p.FindRefund(ctx, r)
	cause := refusedRefund(err)
	switch {
	case lookErr != nil:
		return order.RefundOutcome{}, err
	case found:
		return outcome, nil
	case cause != nil:
		return order.RefundOutcome{Status: order.RefundRefused, Cause: cause}, nil
	case isStuck(err):
		return order.RefundOutcome{}, errNextKey
	}
	return order.RefundOutcome{}, err
}

// worthALook reports whether after err the list of refunds may tell what has happened. Without a response the gateway is likely
// to be unreachable, and the next attempt under the same key learns more.
func worthALook(err error) bool {
	var e *stripego.Error
	return errors.As(err, &e) && !broken(e).NeedsAttention() && e.HTTPStatusCode != http.StatusTooManyRequests
}

// refusedRefund returns why err refuses the refund for good, or nil if it does not.
func refusedRefund(err error) *order.RefundCause {
	var e *stripego.Error
	if !errors.As(err, &e) || e.HTTPStatusCode != http.StatusBadRequest || e.Type != stripego.ErrorTypeInvalidRequest {
		return nil
	}
	cause := &order.RefundCause{By: order.RefusedByGateway}
	switch {
	case e.Code == stripego.ErrorCodeChargeAlreadyRefunded:
		cause.Reason, cause.Message = order.AlreadyRefunded, "all of the payment has been refunded already"
	case e.Code == stripego.ErrorCodeChargeDisputed, e.Code == stripego.ErrorCodeRefundDisputedPayment:
		cause.Reason, cause.Message = order.PaymentDisputed, "the payment is disputed"
	case e.Code == stripego.ErrorCodeChargeNotRefundable:
		cause.Reason, cause.Message = order.GatewayRefused, "the payment cannot be refunded"
	case e.Code == stripego.ErrorCodeAmountTooLarge, e.Param == "amount":
		cause.Reason, cause.Message = order.GatewayRefused, "the gateway cannot refund this amount: less of the payment may be left"
	default:
		return nil
	}
	return cause
}

// FindRefund looks the refund up, without asking for it. found is false if the gateway has none of this ID.
func (p *Payments) FindRefund(ctx context.Context, r order.Refund) (outcome order.RefundOutcome, found bool, err error) {
	if err := checkRefund(r); err != nil {
		return order.RefundOutcome{}, false, wrapRefund("look up", r, err)
	}
	refunds, err := p.RefundsOf(ctx, r.PaymentID)
	if err != nil {
		return order.RefundOutcome{}, false, fmt.Errorf("look up refund %s of order %s: %w", r.ID, r.OrderID, err)
	}
	at := slices.IndexFunc(refunds, func(g order.GatewayRefund) bool { return g.RefundID == r.ID })
	if at < 0 {
		return order.RefundOutcome{}, false, nil
	}
	return refunds[at].Outcome(), true, nil
}

// RefundsOf lists all refunds of a payment, oldest first, also those that were not made by us. The list does not lag.
func (p *Payments) RefundsOf(ctx context.Context, paymentID string) ([]order.GatewayRefund, error) {
	params := &stripego.RefundListParams{PaymentIntent: &paymentID}
	params.Limit = stripego.Int64(100)
	list := p.client.V1Refunds.List(ctx, params)
	if list.Err() == nil && !isList(list.LastResponse()) { // an empty list would prove that there is no refund
		return nil, problem("the gateway's list of the refunds of payment " + paymentID + " cannot be understood")
	}
	var refunds []order.GatewayRefund
	for r, err := range list.All(ctx) {
		if err != nil {
			return nil, wrap("list the refunds of payment "+paymentID, err)
		}
		refunds = append(refunds, gatewayRefund(r))
	}
	slices.Reverse(refunds)
	return refunds, nil
}

// RefundsSince lists a page of the account's refunds that were created at or after since, newest first. page is "" for the
// first page, and next is the page that follows, "" after the last one. Refunds created meanwhile may be missing.
func (p *Payments) RefundsSince(
	ctx context.Context, since time.Time, page string,
) (found []order.GatewayRefund, next string, err error) {
	params := &stripego.RefundListParams{CreatedRange: &stripego.RangeQueryParams{GreaterThanOrEqual: since.Unix()}}
	params.Limit, params.Single = stripego.Int64(100), true
	if page != "" {
		params.StartingAfter = &page
	}
	list := p.client.V1Refunds.List(ctx, params)
	if err := list.Err(); err != nil {
		return nil, "", wrap("list refunds", err)
	}
	for _, r := range list.Data() {
		found = append(found, gatewayRefund(r))
	}
	if meta := list.Meta(); meta.HasMore && len(found) > 0 {
		next = found[len(found)-1].ID
	}
	return found, next, nil
}

// isList reports whether the response says that it is a list.
func isList(res *stripego.APIResponse) bool {
	var body struct {
		Object string `json:"object"`
	}
	return res != nil && json.Unmarshal(res.RawJSON, &body) == nil && body.Object == "list"
}

// gatewayRefund converts a refund.
func gatewayRefund(r *stripego.Refund) order.GatewayRefund {
	g := order.GatewayRefund{ID: r.ID, Status: refundStatus(r.Status), CreatedAt: time.Unix(r.Created, 0).UTC()}
	g.Amount.Currency = strings.ToUpper(string(r.Currency))
	g.Amount.Amount = minorUnits(r.Amount, g.Amount.Currency)
	if r.PaymentIntent != nil {
		g.PaymentID = r.PaymentIntent.ID
	}
	if id, err := order.ParseID(r.Metadata[orderIDKey]); err == nil {
		g.OrderID = id
	}
	if id, err := order.ParseID(r.Metadata[refundIDKey]); err == nil {
		g.RefundID = order.RefundID(id)
	}
	if g.Status == order.RefundFailed {
		g.Failure = string(cmp.Or(r.FailureReason, stripego.RefundFailureReason(r.Status)))
		if secretive[g.Failure] {
			g.Failure = string(stripego.RefundFailureReasonUnknown)
		}
	}
	return g
}

// refundStatus converts a status. Whatever it is, the gateway has accepted the refund: an unknown one is not the end yet.
func refundStatus(s stripego.RefundStatus) order.RefundStatus {
	switch s {
	case stripego.RefundStatusSucceeded:
		return order.RefundSucceeded
	case stripego.RefundStatusFailed, stripego.RefundStatusCanceled:
		return order.RefundFailed
	}
	return order.RefundPending // pending or requires_action
}

func wrapRefund(what string, r order.Refund, err error) error {
	return wrap(fmt.Sprintf("%s refund %s of order %s", what, r.ID, r.OrderID), err)
}
