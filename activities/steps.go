package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The inputs and results below are part of recorded histories: fields are only ever added.

// PriceItemsInput asks for the prices of what a client wants.
type PriceItemsInput struct {
	OrderID order.ID     `json:"orderId"`
	Items   []order.Item `json:"items"`
}

// PriceItemsResult holds one priced line per item and their sum.
type PriceItemsResult struct {
	Lines []order.Line `json:"lines"`
	Total money.Money  `json:"total"`
}

// PriceItems prices every item and sums them up; a sum that could never be charged is refused here, before anything is
// held. Safe to repeat: it only reads.
func (a *Activities) PriceItems(ctx context.Context, in PriceItemsInput) (PriceItemsResult, error) {
	lines, err := a.Catalog.PriceItems(ctx, in.Items)
	if err != nil {
		return PriceItemsResult{}, translate(err, "price the items of order %s", in.OrderID)
	}
	total, err := order.Total(lines)
	if err != nil {
		return PriceItemsResult{}, translate(err, "sum up order %s", in.OrderID)
	}
	if err := a.Payments.Chargeable(total); err != nil {
		return PriceItemsResult{}, translate(err, "check whether order %s can be charged", in.OrderID)
	}
	return PriceItemsResult{Lines: lines, Total: total}, nil
}

// CreateOrderInput is the order to store: PENDING and priced.
type CreateOrderInput struct {
	Order order.Order `json:"order"`
}

// CreateOrder stores the order and returns the row. Safe to repeat: the ID is the primary key, and an existing row is
// returned unchanged.
func (a *Activities) CreateOrder(ctx context.Context, in CreateOrderInput) (order.Order, error) {
	o, err := a.Orders.Create(ctx, in.Order)
	return o, translate(err, "create order %s", in.Order.ID)
}

// ReserveStockInput is what to hold, and until when.
type ReserveStockInput struct {
	OrderID   order.ID     `json:"orderId"`
	Items     []order.Item `json:"items"`
	ExpiresAt time.Time    `json:"expiresAt"`
}

// ReserveStock holds all items or none. Safe to repeat: the reservation is keyed by the order.
func (a *Activities) ReserveStock(ctx context.Context, in ReserveStockInput) (Done, error) {
	err := a.Catalog.Reserve(ctx, in.OrderID, in.Items, in.ExpiresAt)
	return done(in.OrderID, err, "reserve stock for order %s", in.OrderID)
}

// OrderInput names the order that a step or an undo is about.
type OrderInput struct {
	OrderID order.ID `json:"orderId"`
}

// ReleaseStock gives back what the order holds or has bought. Safe to repeat, and before or instead of ReserveStock: it
// leaves a tombstone, and a later ReserveStock is refused.
func (a *Activities) ReleaseStock(ctx context.Context, in OrderInput) (Done, error) {
	return done(in.OrderID, a.Catalog.Release(ctx, in.OrderID), "release the stock of order %s", in.OrderID)
}

// ChargePaymentResult names the payment at the gateway.
type ChargePaymentResult struct {
	PaymentID string `json:"paymentId"`
}

// ChargePayment takes the money once. Safe to repeat: the gateway knows the payment by keys derived from the order.
func (a *Activities) ChargePayment(ctx context.Context, in order.Payment) (ChargePaymentResult, error) {
	id, err := a.Payments.Charge(ctx, in)
	return ChargePaymentResult{PaymentID: id}, translate(err, "charge order %s", in.OrderID)
}

// RefundPayment makes sure that no money is kept. Safe to repeat, and before or instead of ChargePayment: a payment
// that never happened is cancelled at the gateway, and a later ChargePayment is refused.
func (a *Activities) RefundPayment(ctx context.Context, in order.Payment) (Done, error) {
	return done(in.OrderID, a.Payments.Refund(ctx, in), "refund order %s", in.OrderID)
}

// CommitStock turns the hold into a sale. Safe to repeat: the reservation is keyed by the order.
func (a *Activities) CommitStock(ctx context.Context, in OrderInput) (Done, error) {
	return done(in.OrderID, a.Catalog.Commit(ctx, in.OrderID), "commit the stock of order %s", in.OrderID)
}

// Progress is the part of an order's row that transitions change. The saga has the rest, such as the lines, from CreateOrder
// or CloseOrder; its history need not hold them again.
type Progress struct {
	Status    order.Status `json:"status"`
	Closing   bool         `json:"closing,omitempty"`
	Cause     *order.Cause `json:"cause,omitempty"`
	UpdatedAt time.Time    `json:"updatedAt"`
}

// ProgressOf returns the progress of an order.
func ProgressOf(o order.Order) Progress {
	return Progress{Status: o.Status, Closing: o.Closing, Cause: o.Cause, UpdatedAt: o.UpdatedAt}
}

// Apply brings o up to date.
func (p Progress) Apply(o *order.Order) {
	o.Status, o.Closing, o.Cause, o.UpdatedAt = p.Status, p.Closing, p.Cause, p.UpdatedAt
}

// ConfirmOrderInput confirms an order that has been paid.
type ConfirmOrderInput struct {
	OrderID   order.ID      `json:"orderId"`
	PaymentID string        `json:"paymentId"`
	Entries   []order.Entry `json:"entries"`
}

// ConfirmOrder is the pivot: PENDING becomes CONFIRMED unless the order is closing. It returns the row's
// progress, which says what happened. Safe to repeat: one guarded statement.
func (a *Activities) ConfirmOrder(ctx context.Context, in ConfirmOrderInput) (Progress, error) {
	o, err := a.Orders.Confirm(ctx, in.OrderID, in.PaymentID, in.Entries)
	return ProgressOf(o), translate(err, "confirm order %s", in.OrderID)
}

// CloseOrderInput fences an order before its undos.
type CloseOrderInput struct {
	Request order.Request `json:"request"` // fills the row when there is none
	Cause   order.Cause   `json:"cause"`
	Entries []order.Entry `json:"entries"`
}

// CloseOrder is the fence: after it, ConfirmOrder and a first CreateOrder are refused, unless the order was CONFIRMED
// before. It returns the row, which says how the order ends. Safe to repeat: the first cause is kept.
func (a *Activities) CloseOrder(ctx context.Context, in CloseOrderInput) (order.Order, error) {
	o, err := a.Orders.Close(ctx, in.Request, in.Cause, in.Entries)
	return o, translate(err, "close order %s", in.Request.ID)
}

// FinishOrderInput ends a closing order once everything is undone.
type FinishOrderInput struct {
	OrderID order.ID      `json:"orderId"`
	Entries []order.Entry `json:"entries"`
}

// FinishOrder makes a closing order FAILED or CANCELLED, as its cause says, and returns the row's progress. Safe to repeat:
// one guarded statement.
func (a *Activities) FinishOrder(ctx context.Context, in FinishOrderInput) (Progress, error) {
	o, err := a.Orders.Finish(ctx, in.OrderID, in.Entries)
	return ProgressOf(o), translate(err, "finish order %s", in.OrderID)
}

// AppendTimelineInput are entries for the timeline of an order that has reached its end.
type AppendTimelineInput struct {
	OrderID order.ID      `json:"orderId"`
	RunID   string        `json:"runId"` // of the workflow; part of each entry's key
	Entries []order.Entry `json:"entries"`
}

// AppendTimeline adds entries to the order's timeline. Safe to repeat: each has a key.
func (a *Activities) AppendTimeline(ctx context.Context, in AppendTimelineInput) (Done, error) {
	for i, e := range in.Entries {
		if err := a.Orders.AppendTimeline(ctx, in.OrderID, fmt.Sprintf("%s.%d", in.RunID, i), e); err != nil {
			return Done{}, translate(err, "append to the timeline of order %s", in.OrderID)
		}
	}
	return Done{in.OrderID}, nil
}

// PublishEvent announces the order's end. Safe to repeat: the message ID is the same each time.
func (a *Activities) PublishEvent(ctx context.Context, in order.Event) (Done, error) {
	return done(in.OrderID, a.Events.Publish(ctx, in), "publish %s of order %s", in.Type, in.OrderID)
}

// AlertOperators tells operators that the order needs attention. It is not a step of the saga, which neither waits for it
// nor retries it, but sends it again every hour while the step stays broken. Safe to repeat: the message ID is the same each
// time.
func (a *Activities) AlertOperators(ctx context.Context, in order.Alert) error {
	return translate(a.Alerts.SendAlert(ctx, in), "send the alert about %s of order %s", in.Step, in.OrderID)
}
