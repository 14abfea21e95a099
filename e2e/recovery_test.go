package e2e

import (
	"context"
	"net/http"
	"slices"
	"testing"
)

// TestTerminatedSagaIsRecoveredWhateverItsRowSays terminates sagas whose row is missing, PENDING, closing, or final without an
// event.
func TestTerminatedSagaIsRecoveredWhateverItsRowSays(t *testing.T) {
	s := newGatedSystem(t)
	s.toRabbitMQ.down() // nothing is announced
	confirmed, refused := s.place(visa, lamp, 1).orderID(), s.place(declined, lamp, 1).orderID()
	eventually(t, "the declined order is finished", func(context.Context) bool { return s.order(refused).Status == "FAILED" })

	undoing := s.toCatalog.hold(false, func(r *http.Request) bool { return r.Method == "DELETE" })
	closing := s.placeAsync(declined, lamp, 1)
	undoing.await(t)
	if got := s.timeline(closing); !slices.Contains(got, "CLOSING") || slices.Contains(got, "FAILED") {
		t.Errorf("the order that is being undone: %v", got)
	}

	charging := s.toGateway.hold(true, call("POST", "/confirm"))
	pending := s.placeAsync(visa, lamp, 1)
	charging.await(t)

	s.worker.kill() // otherwise it would create the row
	missing := s.placeAsync(visa, lamp, 1)
	ids := []string{confirmed, refused, closing, pending, missing}
	for _, id := range ids {
		if err := s.temporal.TerminateWorkflow(t.Context(), workflowID(id), "", "an operator's mistake"); err != nil {
			t.Fatal(err)
		}
	}
	undoing.release()
	charging.release()
	s.toRabbitMQ.up()
	s.worker.start()

	orders := s.keepsPromises(ids...)
	wantEnd(t, orders[confirmed], "CONFIRMED", "")
	wantEnd(t, orders[refused], "FAILED", "PAYMENT_DECLINED")
	wantEnd(t, orders[closing], "FAILED", "PAYMENT_DECLINED")
	wantEnd(t, orders[pending], "FAILED", "INTERRUPTED")
	wantEnd(t, orders[missing], "FAILED", "INTERRUPTED")
	for _, id := range ids {
		eventually(t, "the recovery of order "+id+" completes", func(ctx context.Context) bool {
			return s.temporal.GetWorkflow(ctx, "recover-"+workflowID(id), "").Get(ctx, nil) == nil
		})
	}
}
