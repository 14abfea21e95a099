package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

var createRefund = endpoint{
	operation: "refund",
	params:    []string{"payment_intent", "charge", "amount", "reason", "metadata", "expand"},
	run: func(c *call) (any, error) {
		intentID, err := intentOfRefund(c)
		if err != nil {
			return nil, err
		}
		i, err := lockIntent(c, intentID)
		if err != nil {
			return nil, err
		}
		return i.refund(c)
	},
}

var retrieveRefund = endpoint{
	operation: "retrieve_refund",
	params:    []string{"expand"},
	run: func(c *call) (any, error) {
		r, err := scanRefund(c.tx.QueryRow(c, selectRefunds+` WHERE id = $1`, c.id))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, notFound(http.StatusNotFound, "id", "refund", c.id)
		}
		if err != nil {
			return nil, fmt.Errorf("read a refund: %w", err)
		}
		return r.object(), nil
	},
}

var listRefunds = endpoint{
	operation: "list_refunds",
	params:    []string{"payment_intent", "charge", "limit", "starting_after", "expand"},
	run: func(c *call) (any, error) {
		limit, err := c.limit()
		if err != nil {
			return nil, err
		}
		rows, err := c.tx.Query(c, selectRefunds+`
			WHERE ($1 = '' OR payment_intent_id = $1) AND ($2 = '' OR charge_id = $2)
				AND ($3 = '' OR seq < (SELECT seq FROM refunds WHERE id = $3))
			ORDER BY seq DESC LIMIT $4`,
			c.params.Get("payment_intent"), c.params.Get("charge"), c.params.Get("starting_after"), limit+1)
		if err != nil {
			return nil, fmt.Errorf("list refunds: %w", err)
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (refundObject, error) {
			r, err := scanRefund(row)
			if err != nil {
				return refundObject{}, err
			}
			return r.object(), nil
		})
		if err != nil {
			return nil, fmt.Errorf("list refunds: %w", err)
		}
		more := int64(len(found)) > limit
		if more {
			found = found[:limit]
		}
		return page[refundObject]{Object: "list", URL: "/v1/refunds", HasMore: more, Data: found}, nil
	},
}

// refund is a row of refunds. Refunds succeed at once here.
type refund struct {
	id, charge, intent, currency string
	amount                       int64
	reason                       *string
	metadata                     map[string]string
	createdAt                    time.Time
}

// intentOfRefund returns the intent that is to be refunded, which is named by its own ID or by its charge's.
func intentOfRefund(c *call) (string, error) {
	intentID, chargeID := c.params.Get("payment_intent"), c.params.Get("charge")
	switch {
	case intentID == "" && chargeID == "":
		return "", invalid("payment_intent", "parameter_missing", "One of the following params should be provided for this request: payment_intent or charge.")
	case intentID != "" && chargeID != "":
		return "", invalid("charge", "parameters_exclusive", "Give either payment_intent or charge, not both.")
	case intentID != "":
		return intentID, nil
	}
	err := c.tx.QueryRow(c, `SELECT payment_intent_id FROM charges WHERE id = $1`, chargeID).Scan(&intentID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", notFound(http.StatusBadRequest, "charge", "charge", chargeID)
	}
	if err != nil {
		return "", fmt.Errorf("find the charge of a refund: %w", err)
	}
	return intentID, nil
}

// refund gives back the amount asked for, by default all that is left.
func (i *intent) refund(c *call) (any, error) {
	reason, err := c.oneOf("reason", "", "duplicate", "fraudulent", "requested_by_customer")
	if err != nil {
		return nil, err
	}
	metadata, err := c.metadata()
	if err != nil {
		return nil, err
	}
	if i.status != succeeded {
		return nil, refused("", "This PaymentIntent (%s) does not have a successful charge to refund.", i.id)
	}
	left := i.charge.captured - i.charge.refunded
	if left == 0 {
		return nil, refused("charge_already_refunded", "Charge %s has already been refunded.", i.charge.id)
	}
	amount, err := c.integer("amount", left)
	if err != nil {
		return nil, err
	}
	if amount < 1 || amount > left {
		return nil, invalid("amount", "", "Refund amount (%d) must be from 1 to the unrefunded amount on the charge (%d).", amount, left)
	}
	r := refund{
		id: newID("re"), charge: i.charge.id, intent: i.id, currency: i.currency, amount: amount, metadata: metadata, createdAt: c.now,
	}
	if reason != "" {
		r.reason = &reason
	}
	if err := r.insert(c); err != nil {
		return nil, err
	}
	i.charge.refunded += r.amount
	return r.object(), c.emit(eventRefunded, i.charge.object(i))
}

// insert writes the refund and takes it off the charge, whose constraint refuses more than was captured.
func (r refund) insert(c *call) error {
	_, err := c.tx.Exec(c, `UPDATE charges SET amount_refunded = amount_refunded + $2 WHERE id = $1`, r.charge, r.amount)
	if err != nil {
		return fmt.Errorf("refund a charge: %w", err)
	}
	_, err = c.tx.Exec(c, `
		INSERT INTO refunds (id, charge_id, payment_intent_id, amount, currency, reason, metadata, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.id, r.charge, r.intent, r.amount, r.currency, r.reason, r.metadata, r.createdAt)
	if err != nil {
		return fmt.Errorf("insert a refund: %w", err)
	}
	return nil
}

const selectRefunds = `SELECT id, charge_id, payment_intent_id, amount, currency, reason, metadata, created_at FROM refunds`

func scanRefund(row pgx.Row) (refund, error) {
	var r refund
	err := row.Scan(&r.id, &r.charge, &r.intent, &r.amount, &r.currency, &r.reason, &r.metadata, &r.createdAt)
	return r, err
}

func (r refund) object() refundObject {
	return refundObject{
		ID: r.id, Object: "refund", Amount: r.amount, Charge: r.charge, Created: r.createdAt.Unix(), Currency: r.currency,
		Metadata: r.metadata, PaymentIntent: r.intent, Reason: r.reason, Status: succeeded,
	}
}
