package gateway

import (
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// The statuses of a dispute. An inquiry is a bank's question before a dispute, and takes no money.
const (
	needsResponse = "needs_response"
	won           = "won"
	lost          = "lost"
	inquiry       = "warning_needs_response"
	inquiryClosed = "warning_closed"
)

var listDisputes = endpoint{
	operation: "dispute_list", params: listParams, run: listOf("/v1/disputes", "disputes", queryDisputes),
}

var retrieveDispute = endpoint{operation: "dispute_retrieve", run: func(c *call) (any, error) {
	d, err := loadDispute(c, c.id)
	if err != nil {
		return nil, err
	}
	return d.object(), nil
}}

// updateDispute decides a dispute as Stripe's test mode does: by the word in the evidence.
var updateDispute = endpoint{
	operation: "dispute_update",
	params:    []string{"evidence", "submit"},
	run: func(c *call) (any, error) {
		switch c.params.Get("evidence[uncategorized_text]") {
		case "winning_evidence":
			return endDispute(c, won)
		case "losing_evidence":
			return endDispute(c, lost)
		}
		return nil, invalid("evidence[uncategorized_text]", "",
			"This simulator only understands winning_evidence and losing_evidence.")
	},
}

// closeDispute accepts the dispute: it is lost.
var closeDispute = endpoint{operation: "dispute_close", run: func(c *call) (any, error) { return endDispute(c, lost) }}

// dispute is a row of disputes with its payment's currency, in the order of queryDisputes.
type dispute struct {
	ID        string
	ChargeID  string
	IntentID  string
	Amount    int64
	Currency  string
	Status    string
	Reason    string
	CreatedAt time.Time
}

// blocksRefunds reports whether the charge cannot be refunded because of the dispute: it is open, or was lost.
func (d *dispute) blocksRefunds() bool { return d.Status == needsResponse || d.Status == lost }

// openDispute disputes all of the intent's charge. The caller holds the intent's lock. Refunds that are not through fail.
func (i *intent) openDispute(c *call, status, reason string) (*dispute, error) {
	d := &dispute{
		ID: newID("dp"), ChargeID: i.Charge.ID, IntentID: i.ID, Amount: i.Charge.Captured, Currency: i.Currency, Status: status,
		Reason: reason, CreatedAt: c.now,
	}
	_, err := c.tx.Exec(c, `
		INSERT INTO disputes (id, charge_id, payment_intent_id, amount, status, reason, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, d.ID, d.ChargeID, d.IntentID, d.Amount, d.Status, d.Reason, d.CreatedAt)
	if err != nil {
		return nil, fmt.Errorf("insert a dispute: %w", err)
	}
	if err := c.emit(i, eventDisputeCreated, d.object()); err != nil {
		return nil, err
	}
	if status == inquiry {
		return d, nil
	}
	waiting, err := queryRefunds(c, `x.payment_intent_id = $1 AND x.status IN ('pending', 'requires_action')`, i.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range waiting {
		if err := r.move(c, i, refundFailed, disputedMeantime); err != nil {
			return nil, err
		}
	}
	return d, c.emit(i, eventDisputeWithdrawn, d.object())
}

// endDispute closes the dispute named in the path.
func endDispute(c *call, status string) (any, error) {
	d, err := loadDispute(c, c.id)
	if err != nil {
		return nil, err
	}
	i, err := lockIntent(c, d.IntentID)
	if err != nil {
		return nil, err
	}
	if d, err = loadDispute(c, c.id); err != nil { // as it is under the lock
		return nil, err
	}
	switch d.Status {
	case needsResponse:
		d.Status = status
	case inquiry:
		d.Status = inquiryClosed
	default:
		return nil, refused("", "This dispute is already closed.")
	}
	if _, err := c.tx.Exec(c, `UPDATE disputes SET status = $2 WHERE id = $1`, d.ID, d.Status); err != nil {
		return nil, fmt.Errorf("update a dispute: %w", err)
	}
	if err := c.emit(i, eventDisputeClosed, d.object()); err != nil || d.Status != won {
		return d.object(), err
	}
	return d.object(), c.emit(i, eventDisputeReinstated, d.object())
}

// queryDisputes reads the disputes that meet a condition on x.
func queryDisputes(c *call, condition string, args ...any) ([]*dispute, error) {
	found, err := pgdb.Collect(c, c.tx, pgx.RowToAddrOfStructByPos[dispute], `
		SELECT x.id, x.charge_id, x.payment_intent_id, x.amount, i.currency, x.status, x.reason, x.created_at
		FROM disputes x JOIN payment_intents i ON i.id = x.payment_intent_id WHERE `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read disputes: %w", err)
	}
	return found, nil
}

func loadDispute(c *call, id string) (*dispute, error) {
	found, err := queryDisputes(c, `x.id = $1`, id)
	return single(found, err, notFound(http.StatusNotFound, "dispute", "dispute", id))
}
