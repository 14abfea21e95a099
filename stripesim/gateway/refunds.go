package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// The statuses of a refund, in addition to succeeded and canceled. The first three count against what was captured.
const (
	refundPending     = "pending"
	refundNeedsAction = requiresAction
	refundFailed      = "failed"
)

// The reasons why refunds fail.
const (
	cardGone         = "expired_or_canceled_card"
	disputedMeantime = "charge_for_pending_refund_disputed"
)

// course is how a refund goes: the status that it begins with and, after a while, another one.
type course struct {
	status, then string
	reason       string        // the failure_reason when it fails
	after        time.Duration // until then; Options.RefundDelay when 0
}

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

var retrieveRefund = endpoint{operation: "refund_retrieve", params: []string{"expand"}, run: func(c *call) (any, error) {
	r, err := loadRefund(c, c.id)
	if err != nil {
		return nil, err
	}
	return r.object(), nil
}}

var listRefunds = endpoint{
	operation: "refund_list", params: listParams, run: listOf("/v1/refunds", "refunds", queryRefunds),
}

// refund is a row of refunds with its payment's currency, in the order of queryRefunds.
type refund struct {
	ID            string
	ChargeID      string
	IntentID      string
	Amount        int64
	Currency      string
	Status        string
	FailureReason string
	Metadata      map[string]string
	NextStatus    string
	NextReason    string
	CreatedAt     time.Time
}

// counts reports whether the refund's amount counts as given back.
func (r *refund) counts() bool { return r.Status != refundFailed && r.Status != canceled }

// refund gives back the amount asked for, by default all that is left.
func (i *intent) refund(c *call) (any, error) {
	metadata, err := c.metadata()
	if err != nil {
		return nil, err
	}
	amount, err := i.refundable(c)
	if err != nil {
		return nil, err
	}
	used, problem := findCard(i.Charge.PaymentMethod)
	if problem != nil {
		return nil, problem
	}
	goes := used.refunds
	if c.strike.fault == FaultRefundStatus {
		goes = c.strike.refund
	}
	r := &refund{
		ID: newID("re"), ChargeID: i.Charge.ID, IntentID: i.ID, Amount: amount, Currency: i.Currency, Metadata: metadata,
		Status: goes.status, CreatedAt: c.now,
	}
	if r.Status == "" {
		r.Status = succeeded
	}
	if r.Status == refundFailed {
		r.FailureReason = goes.reason
	}
	if err := r.insert(c, goes); err != nil {
		return nil, err
	}
	if r.counts() {
		if err := i.addRefunded(c, amount); err != nil {
			return nil, err
		}
		if err := c.emit(i, eventRefunded, i.Charge.object(i)); err != nil {
			return nil, err
		}
	}
	return r.object(), c.emit(i, eventRefundCreated, r.object())
}

// refundable returns the amount to refund, or why it cannot be refunded.
func (i *intent) refundable(c *call) (amount int64, err error) {
	if i.Status != succeeded {
		return 0, refused("", "This PaymentIntent (%s) does not have a successful charge to refund.", i.ID)
	}
	if c.strike.fault == FaultRefuse {
		return 0, refused(c.strike.code, "Charge %s cannot be refunded.", i.Charge.ID)
	}
	left := i.Charge.Captured - i.Charge.Refunded
	if left == 0 {
		return 0, refused("charge_already_refunded", "Charge %s has already been refunded.", i.Charge.ID)
	}
	disputes, err := queryDisputes(c, `x.payment_intent_id = $1`, i.ID)
	if err != nil {
		return 0, err
	}
	for _, d := range disputes {
		if d.blocksRefunds() {
			return 0, refused("charge_disputed", "Charge %s has been charged back; cannot issue a refund.", i.Charge.ID)
		}
	}
	if amount, err = c.integer("amount", left); err != nil {
		return 0, err
	}
	if amount < 1 || amount > left {
		return 0, invalid("amount", "",
			"Refund amount (%d) must be from 1 to the unrefunded amount on the charge (%d).", amount, left)
	}
	if problem := checkStep(amount, i.Currency); problem != nil {
		return 0, problem
	}
	return amount, nil
}

// addRefunded adds the amount to what the charge has given back. It is negative when a refund failed. The charge's constraint
// refuses to give back more than was captured.
func (i *intent) addRefunded(c *call, amount int64) error {
	i.Charge.Refunded += amount
	_, err := c.tx.Exec(c, `UPDATE charges SET amount_refunded = $2 WHERE id = $1`, i.Charge.ID, i.Charge.Refunded)
	if err != nil {
		return fmt.Errorf("refund a charge: %w", err)
	}
	return nil
}

func (r *refund) insert(c *call, goes course) error {
	var due *time.Time
	if goes.then != "" {
		after := goes.after
		if after == 0 {
			after = c.gateway.options.RefundDelay
		}
		at := c.now.Add(after)
		due = &at
	}
	_, err := c.tx.Exec(c, `
		INSERT INTO refunds (id, charge_id, payment_intent_id, amount, status, failure_reason, metadata, next_status, next_reason,
			due_at, created_at)
		VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7::jsonb, nullif($8, ''), nullif($9, ''), $10, $11)`,
		r.ID, r.ChargeID, r.IntentID, r.Amount, r.Status, r.FailureReason, pgdb.JSON(r.Metadata), goes.then, goes.reason, due, r.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert a refund: %w", err)
	}
	return nil
}

// move changes the refund's status. The caller holds the intent's lock. A refund that ends without having paid anything out
// makes room on its charge.
func (r *refund) move(c *call, i *intent, status, reason string) error {
	counted := r.counts()
	if !r.mayBecome(status) {
		return refused("", "Refund %s is %s and cannot become %s.", r.ID, r.Status, status)
	}
	r.Status, r.FailureReason = status, ""
	if status == refundFailed {
		r.FailureReason = reason
	}
	_, err := c.tx.Exec(c, `
		UPDATE refunds SET status = $2, failure_reason = nullif($3, ''), next_status = NULL, next_reason = NULL, due_at = NULL
		WHERE id = $1`, r.ID, r.Status, r.FailureReason)
	if err != nil {
		return fmt.Errorf("update a refund: %w", err)
	}
	if err := c.emit(i, eventRefundUpdated, r.object()); err != nil {
		return err
	}
	if counted == r.counts() {
		return nil
	}
	if err := i.addRefunded(c, -r.Amount); err != nil {
		return err
	}
	if status == refundFailed {
		return c.emit(i, eventRefundFailed, r.object())
	}
	return nil
}

// mayBecome reports whether the bank, or an operator at the dashboard, can give the refund the status.
func (r *refund) mayBecome(status string) bool {
	switch r.Status {
	case refundPending, refundNeedsAction:
		return status != r.Status
	case succeeded:
		return status == refundFailed
	}
	return false // failed and canceled are the end
}

// selectRefunds ends where a condition on x follows.
const selectRefunds = `
	SELECT x.id, x.charge_id, x.payment_intent_id, x.amount, i.currency, x.status, coalesce(x.failure_reason, ''), x.metadata,
		coalesce(x.next_status, ''), coalesce(x.next_reason, ''), x.created_at
	FROM refunds x JOIN payment_intents i ON i.id = x.payment_intent_id`

func queryRefunds(c *call, condition string, args ...any) ([]*refund, error) {
	found, err := pgdb.Collect(c, c.tx, pgx.RowToAddrOfStructByPos[refund], selectRefunds+` WHERE `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", err)
	}
	return found, nil
}

func loadRefund(c *call, id string) (*refund, error) {
	found, err := queryRefunds(c, `x.id = $1`, id)
	return single(found, err, notFound(http.StatusNotFound, "refund", "refund", id))
}

// lockRefund returns the refund and its payment, locked.
func lockRefund(c *call, id string) (*refund, *intent, error) {
	r, err := loadRefund(c, id)
	if err != nil {
		return nil, nil, err
	}
	i, err := lockIntent(c, r.IntentID)
	if err != nil {
		return nil, nil, err
	}
	r, err = loadRefund(c, id) // as it is under the lock
	return r, i, err
}

// ChangeRefunds gives the refunds whose time has come their next status. It returns how many there were.
func (g *Gateway) ChangeRefunds(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	due, err := pgdb.Collect(ctx, g.db, pgx.RowTo[string],
		`SELECT id FROM refunds WHERE due_at <= $1 ORDER BY due_at, seq LIMIT 100`, g.now())
	if err != nil {
		return 0, fmt.Errorf("find due refunds: %w", err)
	}
	for _, id := range due {
		err := pgx.BeginFunc(ctx, g.db, func(tx pgx.Tx) error {
			c := &call{Context: ctx, gateway: g, tx: tx, now: g.now()}
			r, i, err := lockRefund(c, id)
			if err != nil || r.NextStatus == "" { // it was changed by hand, or by another process
				return err
			}
			return r.move(c, i, r.NextStatus, r.NextReason)
		})
		if err != nil {
			return 0, fmt.Errorf("change refund %s: %w", id, err)
		}
	}
	return len(due), nil
}
