package temporalclient

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// StartRefund makes sure that the refund's workflow runs or has completed, and reports whether this call started it. The
// refund's row tells what becomes of it. It ends in ErrUnavailable or ErrUnknown, and goes on when ctx is cancelled.
func (w *Workflows) StartRefund(ctx context.Context, req order.RefundRequest) (started bool, err error) {
	options := w.afterOrder(req.ID.WorkflowID(), fmt.Sprintf("%s of order %s", req.Kind, req.OrderID))
	options.EnableEagerStart = true
	return w.execute(ctx, options, workflows.RefundOrderWorkflow, workflows.RefundOrderInput{Request: req})
}

// RefundRequest returns what the refund's workflow was started with. It is order.ErrNotFound when there was no such workflow
// or Temporal has forgotten it; any other error means that Temporal could not be asked.
func (w *Workflows) RefundRequest(ctx context.Context, id order.RefundID) (order.RefundRequest, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	in, err := input[workflows.RefundOrderInput](ctx, w, id.WorkflowID(), "")
	if notFound(err) || err == nil && in.Request.ID != id {
		return order.RefundRequest{}, order.ErrNotFound
	}
	if err != nil {
		return order.RefundRequest{}, fmt.Errorf("read the request of refund %s: %w", id, err)
	}
	return in.Request, nil
}

// ResumeRefund makes sure that a workflow brings the refund to rest: one that runs, or a new one that begins with the fence.
func (w *Workflows) ResumeRefund(ctx context.Context, req order.RefundRequest) error {
	options := w.afterOrder(req.ID.WorkflowID(), "brings a refund to rest")
	options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	_, err := w.execute(ctx, options, workflows.RefundOrderWorkflow, workflows.RefundOrderInput{Request: req, Resume: true})
	return err
}

// StartShipment makes sure that a workflow records the shipment, or announces what has become of it since.
func (w *Workflows) StartShipment(ctx context.Context, req order.ShipmentRequest) error {
	options := w.afterOrder(req.ID.WorkflowID(), "shipment of order "+string(req.OrderID))
	options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	options.EnableEagerStart = true
	_, err := w.execute(ctx, options, workflows.ShipOrderWorkflow, req)
	return err
}

// afterOrder are the options of a workflow about a confirmed order. It joins one that runs. One that was terminated or failed
// may be started again: its row keeps everything from happening twice.
func (w *Workflows) afterOrder(id, summary string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: w.taskQueue,
		WorkflowTaskTimeout:      workflowTaskTimeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            summary,
	}
}

// InterruptedRefunds lists the refunds with a workflow that was terminated, failed, timed out or was cancelled at or after
// since, and with what they were started. The list comes from Temporal's visibility store and may lag behind.
func (w *Workflows) InterruptedRefunds(
	ctx context.Context, since time.Time, page []byte,
) ([]order.RefundRequest, []byte, error) {
	res, err := w.interrupted(ctx, "'"+workflows.RefundOrderWorkflow+"'", since, page)
	if err != nil {
		return nil, nil, err
	}
	var reqs []order.RefundRequest
	for _, e := range res.Executions {
		id := e.Execution.GetWorkflowId()
		in, err := input[workflows.RefundOrderInput](ctx, w, id, e.Execution.GetRunId())
		if err != nil && !notFound(err) {
			return nil, nil, err
		}
		// Workflows with another ID, or another input, were not started by this system.
		if in.Request.ID != "" && id == in.Request.ID.WorkflowID() {
			reqs = append(reqs, in.Request)
		}
	}
	return reqs, res.NextPageToken, nil
}
