//go:build long

package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func isNotFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// forget deletes the workflow of an order, as the server does when its time of retention is over, and waits until it is
// gone: the server deletes only what its queues are done with, which they note twice a minute.
func (r *realAPI) forget(t *testing.T, id order.ID) {
	t.Helper()
	_, err := r.temporal.SDK.WorkflowService().DeleteWorkflowExecution(context.Background(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &common.WorkflowExecution{WorkflowId: id.WorkflowID()},
	})
	if err != nil {
		t.Fatal(err)
	}
	servicestest.Eventually(t, 4*time.Minute, "the workflow is gone", func() bool {
		_, err := r.temporal.SDK.DescribeWorkflowExecution(context.Background(), id.WorkflowID(), "")
		return isNotFound(err)
	})
}

// Only the row is left of the order, and the program was restarted: neither Temporal nor the api remembers anything.
func TestRealOrderThatTemporalHasForgottenIsStillKnown(t *testing.T) {
	t.Parallel()
	for method, status := range map[string]int{"pm_card_visa": 201, "pm_card_chargeDeclined": 400} {
		r := newRealAPI(t)
		r.work(t)
		body, key, id := newBody(method)
		first := r.send(t, "POST", "/orders", body, key)
		path := "/orders/" + string(id)
		r.eventually(t, id)
		if err := r.temporal.SDK.GetWorkflow(t.Context(), id.WorkflowID(), "").Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		timeline := r.send(t, "GET", path+"/timeline", "")
		r.forget(t, id)

		restarted := newRealAPIOn(t, r.orders)
		again := restarted.send(t, "POST", "/orders", body, key)
		again.want(t, status, first.raw)
		again.wantHeader(t, "Idempotency-Replayed", "true")
		if got := restarted.send(t, "POST", "/orders", strings.Replace(body, `"quantity":2`, `"quantity":3`, 1), key); got.status != 422 {
			t.Errorf("%s: another body: got %d %s, want 422", method, got.status, got.raw)
		}
		restarted.send(t, "GET", path+"/timeline", "").want(t, 200, timeline.raw)
		if got := restarted.send(t, "GET", path, ""); got.status != 200 {
			t.Errorf("%s: got %d %s", method, got.status, got.raw)
		}
		if _, err := r.temporal.SDK.DescribeWorkflowExecution(t.Context(), id.WorkflowID(), ""); !isNotFound(err) {
			t.Errorf("%s: the saga was started again: %v", method, err)
		}
	}
}
