package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/ordersaga/ordersaga/internal/order"
)

// GatewayRefunds are refunds as the gateway knows them, also those that no saga knows of.
type GatewayRefunds interface {
	// RefundsOf lists all refunds of a payment, oldest first. The list does not lag.
	RefundsOf(ctx context.Context, paymentID string) ([]order.GatewayRefund, error)
	// DisputesOf lists all disputes of a payment. Their OrderID is empty.
	DisputesOf(ctx context.Context, paymentID string) ([]order.Dispute, error)
	// RefundsSince lists a page of the account's refunds that were created at or after since. next is "" after the last page.
	RefundsSince(ctx context.Context, since time.Time, page string) (found []order.GatewayRefund, next string, err error)
}

// RefundBooks record what the gateway has done.
type RefundBooks interface {
	// Settle is that of Refunds. It is order.ErrNotFound when there is no such refund.
	Settle(ctx context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error)
	// BookOutside stores a refund that was made at the gateway and that names no refund of ours, once per gateway ID, and then
	// records its status as Settle does. Its ID follows from the gateway's.
	BookOutside(ctx context.Context, id order.ID, found order.GatewayRefund) (order.Refund, error)
	// NoteDispute records a dispute, or its newer state. A closed one never opens again.
	NoteDispute(ctx context.Context, d order.Dispute) error
	// Pending returns up to limit PENDING refunds that were not looked up for minAge, the longest ago first.
	Pending(ctx context.Context, minAge time.Duration, limit int) ([]order.Refund, error)
	// Looked records that a refund was looked up, whatever came of it.
	Looked(ctx context.Context, id order.RefundID) error
}

// RefundResumer brings refunds to rest.
type RefundResumer interface {
	// ResumeRefund makes sure that a workflow brings the refund to rest.
	ResumeRefund(ctx context.Context, req order.RefundRequest) error
}

// Following holds the activities that look at the gateway for what became of refunds and disputes. All fields must be set.
type Following struct {
	Gateway   GatewayRefunds
	Payments  GatewayPayments
	Books     RefundBooks
	Orders    OrderTimelines
	Workflows RefundResumer
}

// FollowPaymentInput names the payment of a confirmed order.
type FollowPaymentInput struct {
	OrderID   order.ID `json:"orderId"`
	PaymentID string   `json:"paymentId"`
}

// FollowPayment books what the gateway has done with the payment of a confirmed order: our refunds, those made outside, and
// disputes. Safe to repeat, and in any order: a status only climbs.
func (f *Following) FollowPayment(ctx context.Context, in FollowPaymentInput) error {
	refunds, err := f.Gateway.RefundsOf(ctx, in.PaymentID)
	if err != nil {
		return translate(err, "list the refunds of payment %s", in.PaymentID)
	}
	for _, found := range refunds {
		if err := f.book(ctx, in.OrderID, found); err != nil {
			return err
		}
	}
	disputes, err := f.Gateway.DisputesOf(ctx, in.PaymentID)
	if err != nil {
		return translate(err, "list the disputes of payment %s", in.PaymentID)
	}
	for _, d := range disputes {
		d.OrderID = in.OrderID
		if err := f.Books.NoteDispute(ctx, d); err != nil {
			return translate(err, "note dispute %s of order %s", d.ID, in.OrderID)
		}
	}
	return nil
}

// book records a refund of the gateway and has it brought to rest. A refund of ours is recognized by its metadata and never
// by the gateway's ID, which may not be stored yet.
func (f *Following) book(ctx context.Context, id order.ID, found order.GatewayRefund) error {
	row, err := order.Refund{}, order.ErrNotFound
	if found.RefundID != "" && found.OrderID == id {
		row, err = f.Books.Settle(ctx, found.RefundID, found.Outcome())
	}
	if errors.Is(err, order.ErrNotFound) {
		row, err = f.Books.BookOutside(ctx, id, found)
	}
	if err != nil {
		return translate(err, "book refund %s of order %s", found.ID, id)
	}
	if row.Settled {
		return nil
	}
	return translate(f.Workflows.ResumeRefund(ctx, row.Request()), "resume refund %s", row.ID)
}

// pendingBatch is how many refunds FollowPending looks up between two heartbeats.
const pendingBatch = 50

// FollowPendingInput says which refunds are due for a look-up.
type FollowPendingInput struct {
	MinAge time.Duration `json:"minAge"` // since the last look-up
}

// maxFailures is after how many look-ups that failed FollowPending takes the gateway to be down.
const maxFailures = 3

// FollowPending looks up the refunds that the gateway has accepted and not paid out yet. One that cannot be looked up does not
// hold up the others: its turn comes again with the next run. Safe to repeat: it goes on with those that were not looked up.
func (f *Following) FollowPending(ctx context.Context, in FollowPendingInput) error {
	var failures []error
	for {
		due, err := f.Books.Pending(ctx, in.MinAge, pendingBatch)
		if err != nil || len(due) == 0 {
			return errors.Join(append(failures, translate(err, "list pending refunds"))...)
		}
		for _, r := range due {
			if err := f.FollowPayment(ctx, FollowPaymentInput{OrderID: r.OrderID, PaymentID: r.PaymentID}); err != nil {
				failures = append(failures, err)
			}
			if len(failures) == maxFailures {
				return errors.Join(failures...)
			}
			if err := f.Books.Looked(ctx, r.ID); err != nil {
				return translate(err, "record the look-up of refund %s", r.ID)
			}
		}
		activity.RecordHeartbeat(ctx)
	}
}

// FollowAccountInput says how far back to look.
type FollowAccountInput struct {
	Since time.Time `json:"since"`
}

// FollowAccount books every refund that the account has made since then. It finds what a lost webhook missed: refunds made
// outside, and those that failed after they had succeeded. Safe to repeat; a retry goes on from the last page.
func (f *Following) FollowAccount(ctx context.Context, in FollowAccountInput) error {
	var page string
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &page); err != nil {
			page = "" // an unreadable heartbeat only costs time
		}
	}
	for {
		refunds, next, err := f.Gateway.RefundsSince(ctx, in.Since, page)
		if err != nil {
			return translate(err, "list the account's refunds")
		}
		for _, found := range refunds {
			if err := f.bookOfAccount(ctx, found); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		page = next
		activity.RecordHeartbeat(ctx, page)
	}
}

// bookOfAccount books a refund if the payment belongs to a confirmed order. What was given back for other orders is their
// sagas' affair.
func (f *Following) bookOfAccount(ctx context.Context, found order.GatewayRefund) error {
	id := found.OrderID
	if id == "" {
		p, err := f.Payments.Payment(ctx, found.PaymentID)
		if errors.Is(err, order.ErrPaymentNotFound) {
			return nil
		}
		if err != nil {
			return translate(err, "look up payment %s", found.PaymentID)
		}
		if id = p.OrderID; id == "" {
			return nil
		}
	}
	row, err := f.Orders.Order(ctx, id)
	if errors.Is(err, order.ErrNotFound) {
		return nil
	}
	if err != nil {
		return translate(err, "look up order %s", id)
	}
	if row.Status != order.Confirmed || row.PaymentID != found.PaymentID {
		return nil
	}
	return f.book(ctx, id, found)
}
