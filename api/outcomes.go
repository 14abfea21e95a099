package api

import (
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Outcomes tells requests how their orders end. An order's end is known once its row is CONFIRMED, closing with a cause, or
// final, and the response leaves then: before undos run, before the event is published, and before the workflow task is
// completed.
//
// That is safe because the row is the truth that every later run of the saga obeys. If the worker dies right after the
// commit, the workflow task is lost with everything that it remembered, and the saga runs again, perhaps in a changed world.
// But the steps that could decide something, CreateOrder, ConfirmOrder and CloseOrder, are guarded statements, and they
// return what the row says. The second run finds the order CONFIRMED and goes forward, or closing and unwinds with the first
// cause. No run can announce an end that differs from the client's response.
type Outcomes struct {
	*waiters[order.ID, order.Order]
}

// besidePause is the first pause when a worker in the same process reports its commits: it executes most orders itself.
const besidePause = 50 * time.Millisecond

// NewOutcomes returns the outcomes for a process that also runs the worker, which calls Decided.
func NewOutcomes() *Outcomes { return newOutcomes(besidePause) }

func newOutcomes(firstPause time.Duration) *Outcomes {
	return &Outcomes{newWaiters("the outcomes of orders", func(o order.Order) order.ID { return o.ID }, firstPause)}
}

// Decided says how orders end, as their rows do. It does not wait for anyone.
func (o *Outcomes) Decided(orders ...order.Order) { o.wake(orders...) }

// newRefunded returns the requests that wait for what the books and the gateway say of their refunds.
func newRefunded() *waiters[order.RefundID, order.Refund] {
	return newWaiters("refunds", func(r order.Refund) order.RefundID { return r.ID }, askPause)
}
