package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// Ledger is the body of GET /_sim/ledger: everything the gateway knows at one moment, by order. Amounts are in Stripe's
// smallest unit of the currency.
type Ledger struct {
	Orders []OrderLedger `json:"orders"`
}

// OrderLedger is the payments of one order. Payments without metadata[order_id] are under the empty ID.
type OrderLedger struct {
	OrderID        string          `json:"orderId"`
	Captured       int64           `json:"captured"` // sum over the intents, before refunds
	Refunded       int64           `json:"refunded"`
	Net            int64           `json:"net"`      // captured - refunded
	Captures       int             `json:"captures"` // charges that took money
	PaymentIntents []PaymentIntent `json:"paymentIntents"`
}

// PaymentIntent is an intent in the ledger.
type PaymentIntent struct {
	OrderID       string    `json:"-"`
	ID            string    `json:"id"`
	Status        string    `json:"status"`
	Amount        int64     `json:"amount"`
	Currency      string    `json:"currency"` // ISO 4217, upper case
	PaymentMethod string    `json:"paymentMethod,omitempty"`
	CreatedAt     time.Time `json:"createdAt"`
	Charges       []Charge  `json:"charges"`
	Refunds       []Refund  `json:"refunds"`
	Disputes      []Dispute `json:"disputes"`
	Captured      int64     `json:"captured"` // the sum of the charges
	Refunded      int64     `json:"refunded"` // the sum of the refunds that count, to be compared with the charges'
}

// Charge is one attempt to take an intent's money.
type Charge struct {
	ID            string    `json:"id"`
	Status        string    `json:"status"` // succeeded or failed
	PaymentMethod string    `json:"paymentMethod"`
	Amount        int64     `json:"amount"` // asked for
	Captured      int64     `json:"captured"`
	Refunded      int64     `json:"refunded"`
	FailureCode   string    `json:"failureCode,omitempty"`
	DeclineCode   string    `json:"declineCode,omitempty"`
	CreatedAt     time.Time `json:"createdAt"`
}

// chargeJSON is a Charge from the row c.
const chargeJSON = `jsonb_build_object('id', c.id, 'status', c.status, 'paymentMethod', c.payment_method, 'amount', c.amount,
	'captured', c.amount_captured, 'refunded', c.amount_refunded, 'failureCode', coalesce(c.failure_code, ''),
	'declineCode', coalesce(c.decline_code, ''), 'createdAt', c.created_at)`

// Refund is money given back.
type Refund struct {
	ID            string            `json:"id"`
	ChargeID      string            `json:"chargeId"`
	Amount        int64             `json:"amount"`
	Status        string            `json:"status"`
	FailureReason string            `json:"failureReason,omitempty"`
	Metadata      map[string]string `json:"metadata"`
	CreatedAt     time.Time         `json:"createdAt"`
}

const refundJSON = `jsonb_build_object('id', r.id, 'chargeId', r.charge_id, 'amount', r.amount, 'status', r.status,
	'failureReason', coalesce(r.failure_reason, ''), 'metadata', r.metadata, 'createdAt', r.created_at)`

// Dispute is a payment that the customer's bank has taken back, or may take back. Its money is not in Refunded.
type Dispute struct {
	ID        string    `json:"id"`
	Amount    int64     `json:"amount"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"createdAt"`
}

const disputeJSON = `jsonb_build_object('id', d.id, 'amount', d.amount, 'status', d.status, 'reason', d.reason,
	'createdAt', d.created_at)`

func (g *Gateway) getLedger(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), callTimeout)
	defer cancel()
	ledger, err := g.Audit(ctx, c.Query("order_id"))
	if err != nil {
		g.log.Error("the ledger cannot be read", "error", err.Error())
		writeError(c, broken(false))
		return
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, ledger)
}

// Audit returns the ledger of an order, or of all orders if orderID is empty, oldest first. It leaves out orders without
// payments.
func (g *Gateway) Audit(ctx context.Context, orderID string) (Ledger, error) {
	payments, err := g.payments(ctx, `WHERE $1 = '' OR i.order_id = $1 ORDER BY i.seq`, orderID)
	if err != nil {
		return Ledger{}, err
	}
	ledger := Ledger{Orders: []OrderLedger{}}
	index := map[string]int{}
	for _, p := range payments {
		at, ok := index[p.OrderID]
		if !ok {
			at, index[p.OrderID] = len(ledger.Orders), len(ledger.Orders)
			ledger.Orders = append(ledger.Orders, OrderLedger{OrderID: p.OrderID})
		}
		ledger.Orders[at].add(p)
	}
	return ledger, nil
}

// payments reads intents with their charges and refunds. which is a condition on i, an order or a limit.
func (g *Gateway) payments(ctx context.Context, which string, args ...any) ([]PaymentIntent, error) {
	payments, err := pgdb.Collect(ctx, g.db, pgx.RowToStructByPos[PaymentIntent], `
		SELECT coalesce(i.order_id, ''), i.id, i.status, i.amount, upper(i.currency), coalesce(i.payment_method, ''),
			i.created_at,
			coalesce((SELECT jsonb_agg(`+chargeJSON+` ORDER BY c.seq) FROM charges c WHERE c.payment_intent_id = i.id), '[]'),
			coalesce((SELECT jsonb_agg(`+refundJSON+` ORDER BY r.seq) FROM refunds r WHERE r.payment_intent_id = i.id), '[]'),
			coalesce((SELECT jsonb_agg(`+disputeJSON+` ORDER BY d.seq) FROM disputes d WHERE d.payment_intent_id = i.id), '[]'),
			coalesce((SELECT sum(c.amount_captured) FROM charges c WHERE c.payment_intent_id = i.id), 0)::bigint,
			coalesce((SELECT sum(r.amount) FROM refunds r
				WHERE r.payment_intent_id = i.id AND r.status NOT IN ('failed', 'canceled')), 0)::bigint
		FROM payment_intents i `+which, args...)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return payments, nil
}

func (o *OrderLedger) add(p PaymentIntent) {
	for _, ch := range p.Charges {
		if ch.Captured > 0 {
			o.Captures++
		}
	}
	o.Captured += p.Captured
	o.Refunded += p.Refunded
	o.Net = o.Captured - o.Refunded
	o.PaymentIntents = append(o.PaymentIntents, p)
}
