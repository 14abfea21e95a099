package gateway

import "fmt"

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

// refund gives back the amount asked for, by default all that is left. Refunds succeed at once here.
func (i *intent) refund(c *call) (any, error) {
	metadata, err := c.metadata()
	if err != nil {
		return nil, err
	}
	if i.Status != succeeded {
		return nil, refused("", "This PaymentIntent (%s) does not have a successful charge to refund.", i.ID)
	}
	left := i.Charge.Captured - i.Charge.Refunded
	if left == 0 {
		return nil, refused("charge_already_refunded", "Charge %s has already been refunded.", i.Charge.ID)
	}
	amount, err := c.integer("amount", left)
	if err != nil {
		return nil, err
	}
	if amount < 1 || amount > left {
		return nil, invalid("amount", "",
			"Refund amount (%d) must be from 1 to the unrefunded amount on the charge (%d).", amount, left)
	}
	i.Charge.Refunded += amount
	r := refundObject{
		ID: newID("re"), Object: "refund", Amount: amount, Charge: i.Charge.ID, Created: c.now.Unix(), Currency: i.Currency,
		Metadata: metadata, PaymentIntent: i.ID, Status: succeeded,
	}
	// The charge's constraint refuses to give back more than was captured.
	_, err = c.tx.Exec(c, `UPDATE charges SET amount_refunded = $2 WHERE id = $1`, i.Charge.ID, i.Charge.Refunded)
	if err != nil {
		return nil, fmt.Errorf("refund a charge: %w", err)
	}
	_, err = c.tx.Exec(c, `
		INSERT INTO refunds (id, charge_id, payment_intent_id, amount, created_at)
		VALUES ($1, $2, $3, $4, $5)`, r.ID, r.Charge, r.PaymentIntent, r.Amount, c.now)
	if err != nil {
		return nil, fmt.Errorf("insert a refund: %w", err)
	}
	return r, c.emit(eventRefunded, i.Charge.object(i))
}
