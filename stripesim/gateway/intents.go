package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// The statuses of a payment intent.
const (
	requiresPaymentMethod = "requires_payment_method" // the card was declined
	requiresConfirmation  = "requires_confirmation"
	requiresAction        = "requires_action" // the customer would have to authenticate
	canceled              = "canceled"
	succeeded             = "succeeded"
)

var createIntent = endpoint{
	operation: "create",
	params:    []string{"amount", "currency", "payment_method", "payment_method_types", "metadata"},
	run: func(c *call) (any, error) {
		i, err := newIntent(c)
		if err != nil {
			return nil, err
		}
		return i.object(false), i.insert(c)
	},
}

var retrieveIntent = endpoint{
	operation: "retrieve",
	params:    []string{"expand"},
	run: func(c *call) (any, error) {
		i, err := loadIntent(c, c.id)
		if err != nil {
			return nil, err
		}
		return i.object(c.expands("latest_charge")), nil
	},
}

var confirmIntent = endpoint{operation: "confirm", run: func(c *call) (any, error) {
	i, err := lockIntent(c, c.id)
	if err != nil {
		return nil, err
	}
	return i.confirm(c)
}}

var cancelIntent = endpoint{operation: "cancel", run: func(c *call) (any, error) {
	i, err := lockIntent(c, c.id)
	if err != nil {
		return nil, err
	}
	return i.cancel(c)
}}

// intent is a row of payment_intents with its latest charge, in the order of selectIntents.
type intent struct {
	ID           string
	Seq          int64
	Amount       int64
	Currency     string
	Status       string
	Method       *string
	Metadata     map[string]string
	ClientSecret string
	LastError    *errorBody
	CreatedAt    time.Time
	Charge       *Charge
}

// newIntent makes an intent from the parameters of a create.
func newIntent(c *call) (*intent, error) {
	for _, required := range []string{"amount", "currency", "payment_method"} {
		if c.params.Get(required) == "" {
			return nil, missing(required)
		}
	}
	method := c.params.Get("payment_method")
	i := &intent{ID: newID("pi"), Status: requiresConfirmation, Method: &method, CreatedAt: c.now}
	i.ClientSecret = i.ID + "_" + newID("secret")
	var err error
	if i.Amount, err = c.integer("amount", 0); err != nil {
		return nil, err
	}
	i.Currency = strings.ToLower(c.params.Get("currency"))
	if !currency.IsValid(strings.ToUpper(i.Currency)) {
		return nil, unsupportedCurrency(i.Currency)
	}
	if problem := checkAmount(i.Amount, i.Currency); problem != nil {
		return nil, problem
	}
	if _, problem := findCard(method); problem != nil {
		return nil, problem
	}
	i.Metadata, err = c.metadata()
	return i, err
}

func (i *intent) insert(c *call) error {
	_, err := c.tx.Exec(c, `
		INSERT INTO payment_intents (id, amount, currency, status, payment_method, metadata, client_secret, created_at)
		VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)`,
		i.ID, i.Amount, i.Currency, i.Status, i.Method, pgdb.JSON(i.Metadata), i.ClientSecret, i.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert a payment intent: %w", err)
	}
	return nil
}

// confirm charges the card. The intent keeps the outcome.
func (i *intent) confirm(c *call) (any, error) {
	switch i.Status {
	case requiresConfirmation:
	case requiresPaymentMethod:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it's missing a payment method.")
	case succeeded:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it has already succeeded " +
			"after being previously confirmed.")
	default:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it has a status of %s.", i.Status)
	}
	used, problem := findCard(*i.Method)
	if problem != nil {
		return nil, problem
	}
	if c.strike.fault == FaultDecline {
		used = c.strike.decline
	}
	switch {
	case used.action:
		i.Status = requiresAction
		return i.saved(c)
	case used.code != "":
		return i.decline(c, used)
	default:
		return i.succeed(c, used.dispute)
	}
}

// succeed takes the money. A dispute with a status is opened at once.
func (i *intent) succeed(c *call, disputed dispute) (any, error) {
	i.Charge = &Charge{
		ID: newID("ch"), Amount: i.Amount, Captured: i.Amount, Status: succeeded, PaymentMethod: *i.Method, CreatedAt: c.now,
	}
	i.Status, i.LastError = succeeded, nil
	if err := i.Charge.insert(c, i.ID); err != nil {
		return nil, err
	}
	object, err := i.saved(c)
	if err != nil {
		return nil, err
	}
	if err := c.emit(i, eventSucceeded, object); err != nil || disputed.Status == "" {
		return object, err
	}
	_, err = i.openDispute(c, disputed.Status, disputed.Reason)
	return object, err
}

// decline is an effect like others: the ledger keeps the attempt, and the intent asks for another payment method.
func (i *intent) decline(c *call, used card) (any, error) {
	i.Charge = &Charge{
		ID: newID("ch"), Amount: i.Amount, Status: "failed", PaymentMethod: *i.Method, CreatedAt: c.now,
		FailureCode: used.code, DeclineCode: used.declineCode,
	}
	if err := i.Charge.insert(c, i.ID); err != nil {
		return nil, err
	}
	problem := &apiError{status: http.StatusPaymentRequired, stored: true, body: errorBody{
		Type: "card_error", Code: used.code, DeclineCode: used.declineCode, Message: used.message,
		Charge: i.Charge.ID, DocURL: docURL(used.code),
		PaymentMethod: &paymentMethod{ID: *i.Method, Object: "payment_method", Type: "card"},
	}}
	last := problem.body
	i.Status, i.Method, i.LastError = requiresPaymentMethod, nil, &last
	object, err := i.saved(c)
	if err != nil {
		return nil, err
	}
	problem.body.PaymentIntent = object
	return nil, problem
}

func (i *intent) cancel(c *call) (any, error) {
	if i.Status == canceled || i.Status == succeeded {
		return nil, i.unexpected("You cannot cancel this PaymentIntent because it has a status of %s.", i.Status)
	}
	i.Status = canceled
	return i.saved(c)
}

// unexpected refuses a call that the intent's status does not allow.
func (i *intent) unexpected(format string, args ...any) *apiError {
	problem := refused("payment_intent_unexpected_state", format, args...)
	problem.body.PaymentIntent = i.object(false)
	return problem
}

// saved writes the intent's changes and returns it as an object.
func (i *intent) saved(c *call) (*intentObject, error) {
	_, err := c.tx.Exec(c, `
		UPDATE payment_intents SET status = $2, payment_method = $3, last_payment_error = nullif($4::jsonb, 'null') WHERE id = $1`,
		i.ID, i.Status, i.Method, pgdb.JSON(i.LastError))
	if err != nil {
		return nil, fmt.Errorf("update a payment intent: %w", err)
	}
	return i.object(false), nil
}

// lockIntent waits for every other call on the same intent, then loads it. The lock is a statement of its own, so that the
// next one sees what the other call has done.
func lockIntent(c *call, id string) (*intent, error) {
	if _, err := c.tx.Exec(c, `SELECT 1 FROM payment_intents WHERE id = $1 FOR UPDATE`, id); err != nil {
		return nil, fmt.Errorf("lock a payment intent: %w", err)
	}
	return loadIntent(c, id)
}

// selectIntents ends where a condition on i follows.
const selectIntents = `
	SELECT i.id, i.seq, i.amount, i.currency, i.status, i.payment_method, i.metadata, i.client_secret, i.last_payment_error,
		i.created_at, (SELECT ` + chargeJSON + ` FROM charges c WHERE c.payment_intent_id = i.id ORDER BY c.seq DESC LIMIT 1)
	FROM payment_intents i`

// queryIntents reads the intents that meet the condition, which may be followed by an order and a limit.
func queryIntents(c *call, condition string, args ...any) ([]*intent, error) {
	found, err := pgdb.Collect(c, c.tx, pgx.RowToAddrOfStructByPos[intent], selectIntents+` WHERE `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read payment intents: %w", err)
	}
	return found, nil
}

func loadIntent(c *call, id string) (*intent, error) {
	missing := notFound(http.StatusBadRequest, "payment_intent", "payment_intent", id)
	if c.id == id { // in the path
		missing = notFound(http.StatusNotFound, "intent", "payment_intent", id)
	}
	found, err := queryIntents(c, `i.id = $1`, id)
	return single(found, err, missing)
}

// single returns the one object that a query by ID found, or else missing.
func single[T any](found []*T, err error, missing error) (*T, error) {
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, missing
	}
	return found[0], nil
}

// insert stores a new charge of the intent.
func (ch *Charge) insert(c *call, intentID string) error {
	_, err := c.tx.Exec(c, `
		INSERT INTO charges (id, payment_intent_id, amount, amount_captured, status, payment_method, failure_code,
			decline_code, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), $9)`,
		ch.ID, intentID, ch.Amount, ch.Captured, ch.Status, ch.PaymentMethod, ch.FailureCode, ch.DeclineCode, ch.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert a charge: %w", err)
	}
	return nil
}
