package gateway

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

var createRefund = endpoint{
	operation: "refund",
	params:    []string{"payment_intent", "amount", "metadata"},
	run: func(c *call) (any, error) {
		id := c.params.Get("payment_intent")
		if id == "" {
			return nil, missing("payment_intent")
		}
		i, err := lockIntent(c, id)
		if err != nil {
			return nil, err
		}
		return i.refund(c)
	},
}

// listRefunds lists the newest refunds. Clients call it to see whether the gateway is there and accepts their key.
var listRefunds = endpoint{
	operation: "list_refunds",
	params:    []string{"limit"},
	run: func(c *call) (any, error) {
		limit, err := c.limit()
		if err != nil {
			return nil, err
		}
		rows, err := c.tx.Query(c, `
			SELECT id, 'refund', amount, charge_id, extract(epoch FROM created_at)::bigint, currency, metadata,
				payment_intent_id, 'succeeded'
			FROM refunds ORDER BY seq DESC LIMIT $1`, limit+1)
		if err != nil {
			return nil, fmt.Errorf("list refunds: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[refundObject])
		if err != nil {
			return nil, fmt.Errorf("list refunds: %w", err)
		}
		more := len(found) > limit
		return page[refundObject]{Object: "list", URL: "/v1/refunds", HasMore: more, Data: found[:min(limit, len(found))]}, nil
	},
}

// refund gives back the amount asked for, by default all that is left. Refunds succeed at once here.
func (i *intent) refund(c *call) (any, error) {
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
		return nil, invalid("amount", "",
			"Refund amount (%d) must be from 1 to the unrefunded amount on the charge (%d).", amount, left)
	}
	i.charge.refunded += amount
	r := refundObject{
		ID: newID("re"), Object: "refund", Amount: amount, Charge: i.charge.id, Created: c.now.Unix(), Currency: i.currency,
		Metadata: metadata, PaymentIntent: i.id, Status: succeeded,
	}
	// The charge's constraint refuses to give back more than was captured.
	_, err = c.tx.Exec(c, `UPDATE charges SET amount_refunded = $2 WHERE id = $1`, i.charge.id, i.charge.refunded)
	if err != nil {
		return nil, fmt.Errorf("refund a charge: %w", err)
	}
	_, err = c.tx.Exec(c, `
		INSERT INTO refunds (id, charge_id, payment_intent_id, amount, currency, metadata, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.ID, r.Charge, r.PaymentIntent, r.Amount, r.Currency, r.Metadata, c.now)
	if err != nil {
		return nil, fmt.Errorf("insert a refund: %w", err)
	}
	return r, c.emit(eventRefunded, i.charge.object(i))
}
