package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"github.com/jackc/pgx/v5"
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

// intent is a row of payment_intents with its latest charge.
type intent struct {
	id, currency, status string
	amount               int64
	method               *string
	metadata             map[string]string
	clientSecret         string
	lastError            *errorBody
	createdAt            time.Time
	seq                  int64
	charge               *charge
}

// newIntent makes an intent from the parameters of a create.
func newIntent(c *call) (*intent, error) {
	for _, required := range []string{"amount", "currency", "payment_method"} {
		if c.params.Get(required) == "" {
			return nil, missing(required)
		}
	}
	method := c.params.Get("payment_method")
	i := &intent{id: newID("pi"), status: requiresConfirmation, method: &method, createdAt: c.now}
	i.clientSecret = i.id + "_" + newID("secret")
	var err error
	if i.amount, err = c.integer("amount", 0); err != nil {
		return nil, err
	}
	i.currency = strings.ToLower(c.params.Get("currency"))
	if !currency.IsValid(strings.ToUpper(i.currency)) {
		return nil, unsupportedCurrency(i.currency)
	}
	if problem := checkAmount(i.amount, i.currency); problem != nil {
		return nil, problem
	}
	if _, problem := findCard(method); problem != nil {
		return nil, problem
	}
	i.metadata, err = c.metadata()
	return i, err
}

func (i *intent) insert(c *call) error {
	_, err := c.tx.Exec(c, `
		INSERT INTO payment_intents (id, amount, currency, status, payment_method, metadata, client_secret, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		i.id, i.amount, i.currency, i.status, i.method, i.metadata, i.clientSecret, i.createdAt)
	if err != nil {
		return fmt.Errorf("insert a payment intent: %w", err)
	}
	return nil
}

// confirm charges the card. The intent keeps the outcome.
func (i *intent) confirm(c *call) (any, error) {
	switch i.status {
	case requiresConfirmation:
	case requiresPaymentMethod:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it's missing a payment method.")
	case succeeded:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it has already succeeded " +
			"after being previously confirmed.")
	default:
		return nil, i.unexpected("You cannot confirm this PaymentIntent because it has a status of %s.", i.status)
	}
	used, problem := findCard(*i.method)
	if problem != nil {
		return nil, problem
	}
	if c.strike.fault == FaultDecline {
		used = c.strike.decline
	}
	switch {
	case used.action:
		i.status = requiresAction
		return i.saved(c)
	case used.code != "":
		return i.decline(c, used)
	default:
		return i.succeed(c)
	}
}

func (i *intent) succeed(c *call) (any, error) {
	i.charge = &charge{
		id: newID("ch"), amount: i.amount, captured: i.amount, status: succeeded, method: *i.method, createdAt: c.now,
	}
	i.status, i.lastError = succeeded, nil
	if err := i.charge.insert(c, i.id); err != nil {
		return nil, err
	}
	object, err := i.saved(c)
	if err != nil {
		return nil, err
	}
	return object, c.emit(eventSucceeded, object)
}

// decline is an effect like others: the ledger keeps the attempt, and the intent asks for another payment method.
func (i *intent) decline(c *call, used card) (any, error) {
	i.charge = &charge{
		id: newID("ch"), amount: i.amount, status: "failed", method: *i.method, createdAt: c.now,
		failureCode: &used.code, declineCode: &used.declineCode,
	}
	if err := i.charge.insert(c, i.id); err != nil {
		return nil, err
	}
	problem := &apiError{status: http.StatusPaymentRequired, stored: true, body: errorBody{
		Type: "card_error", Code: used.code, DeclineCode: used.declineCode, Message: used.message,
		Charge: i.charge.id, DocURL: docURL(used.code),
		PaymentMethod: &paymentMethod{ID: *i.method, Object: "payment_method", Type: "card"},
	}}
	last := problem.body
	i.status, i.method, i.lastError = requiresPaymentMethod, nil, &last
	object, err := i.saved(c)
	if err != nil {
		return nil, err
	}
	problem.body.PaymentIntent = object
	return nil, problem
}

func (i *intent) cancel(c *call) (any, error) {
	if i.status == canceled || i.status == succeeded {
		return nil, i.unexpected("You cannot cancel this PaymentIntent because it has a status of %s.", i.status)
	}
	i.status = canceled
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
	_, err := c.tx.Exec(c, `UPDATE payment_intents SET status = $2, payment_method = $3, last_payment_error = $4 WHERE id = $1`,
		i.id, i.status, i.method, i.lastError)
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

// selectIntents ends where a condition on i follows; scanIntent reads its rows.
const selectIntents = `
	SELECT i.id, i.seq, i.amount, i.currency, i.status, i.payment_method, i.metadata, i.client_secret,
		i.last_payment_error, i.created_at,
		c.id, c.amount, c.amount_captured, c.amount_refunded, c.status, c.payment_method, c.failure_code,
		c.decline_code, c.created_at
	FROM payment_intents i
	LEFT JOIN LATERAL (SELECT * FROM charges WHERE payment_intent_id = i.id ORDER BY seq DESC LIMIT 1) c ON true`

func loadIntent(c *call, id string) (*intent, error) {
	i, err := scanIntent(c.tx.QueryRow(c, selectIntents+` WHERE i.id = $1`, id))
	if errors.Is(err, pgx.ErrNoRows) {
		status, param := http.StatusNotFound, "intent"
		if c.id != id { // not in the path
			status, param = http.StatusBadRequest, "payment_intent"
		}
		return nil, notFound(status, param, "payment_intent", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read a payment intent: %w", err)
	}
	return i, nil
}

func scanIntent(row pgx.Row) (*intent, error) {
	var i intent
	var id, status, method *string
	var amount, captured, refunded *int64
	var ch charge
	var createdAt *time.Time
	err := row.Scan(&i.id, &i.seq, &i.amount, &i.currency, &i.status, &i.method, &i.metadata, &i.clientSecret,
		&i.lastError, &i.createdAt,
		&id, &amount, &captured, &refunded, &status, &method, &ch.failureCode, &ch.declineCode, &createdAt)
	if err != nil {
		return nil, err
	}
	if id != nil {
		ch.id, ch.amount, ch.captured, ch.refunded = *id, *amount, *captured, *refunded
		ch.status, ch.method, ch.createdAt = *status, *method, *createdAt
		i.charge = &ch
	}
	return &i, nil
}

// charge is a row of charges.
type charge struct {
	id, status, method         string
	amount, captured, refunded int64
	failureCode, declineCode   *string
	createdAt                  time.Time
}

func (ch *charge) insert(c *call, intentID string) error {
	_, err := c.tx.Exec(c, `
		INSERT INTO charges (id, payment_intent_id, amount, amount_captured, status, payment_method, failure_code,
			decline_code, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		ch.id, intentID, ch.amount, ch.captured, ch.status, ch.method, ch.failureCode, ch.declineCode, ch.createdAt)
	if err != nil {
		return fmt.Errorf("insert a charge: %w", err)
	}
	return nil
}
