package temporalclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// Timeouts of calls to Temporal.
const (
	// reachTimeout is how long a request may try to get onto the wire before Temporal counts as unreachable.
	reachTimeout = 2 * time.Second
	// startTimeout bounds a start. The SDK repeats one whose response was lost, under the same request ID, within it.
	startTimeout    = 5 * time.Second
	describeTimeout = 2 * time.Second
)

// workflowTaskTimeout is how long a worker that died delays an order.
const workflowTaskTimeout = 5 * time.Second

// The keys of the memo, which can be read without a worker.
const (
	memoUserID    = "userId"
	memoHash      = "hash"
	memoItems     = "items"
	memoCreatedAt = "createdAt"
)

// What a call for an order can fail with.
var (
	ErrUnavailable = errors.New("the request was not accepted")       // nothing was done
	ErrUnknown     = errors.New("the request may have been accepted") // its response was lost
	ErrClosed      = errors.New("the workflow no longer runs")        // the row tells more
)

// Workflows are the workflows of the orders on one task queue. It is safe for many goroutines.
type Workflows struct {
	client    *Client
	taskQueue string

	reach, startWithin time.Duration // only tests change them
}

// NewWorkflows returns the workflows on the task queue.
func NewWorkflows(c *Client, taskQueue string) *Workflows {
	return &Workflows{client: c, taskQueue: taskQueue, reach: reachTimeout, startWithin: startTimeout}
}

// Start makes sure that the order's workflow runs or has run, and reports whether this call started it. It ends in
// ErrUnavailable or ErrUnknown. It goes on when ctx is cancelled: the order may be on its way already.
func (w *Workflows) Start(ctx context.Context, req order.Request) (started bool, err error) {
	return w.execute(ctx, w.startOptions(req), workflows.CreateOrderWorkflow, req)
}

// execute starts a workflow and reports whether this call started it.
func (w *Workflows) execute(ctx context.Context, options client.StartWorkflowOptions, workflow string, input any) (bool, error) {
	ctx, trace := withTrace(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, w.startWithin)
	defer cancel()
	defer w.giveUpUnsent(trace, cancel)()
	// The SDK reports a workflow that runs, or has run, as a success.
	if _, err := w.client.SDK.ExecuteWorkflow(ctx, options, workflow, input); err != nil {
		return false, fmt.Errorf("start workflow %s: %w: %w", options.ID, trace.kind(err), err)
	}
	return trace.started.Load(), nil
}

// startOptions name the workflow after the order, join one that runs, and never run a finished one again. There is no
// workflow timeout: it would end the saga without undoing anything. An eager start lets a worker of this process, if there
// is one, take the first workflow task along with the response.
func (w *Workflows) startOptions(req order.Request) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: req.ID.WorkflowID(), TaskQueue: w.taskQueue,
		WorkflowTaskTimeout:      workflowTaskTimeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		EnableEagerStart:         true,
		Memo: map[string]any{
			memoUserID: req.UserID, memoHash: req.Hash, memoItems: req.Items, memoCreatedAt: req.CreatedAt,
		},
		StaticSummary: fmt.Sprintf("user %d, lines: %d", req.UserID, len(req.Items)),
	}
}

// giveUpUnsent cancels a request that does not get onto the wire. Its result ends the watch.
func (w *Workflows) giveUpUnsent(t *trace, cancel context.CancelFunc) (stop func() bool) {
	return time.AfterFunc(w.reach, func() {
		if !t.sent.Load() {
			cancel()
		}
	}).Stop
}

// kind tells a request that was surely not accepted from one that may have been.
func (t *trace) kind(err error) error {
	if !t.sent.Load() || refused(err) {
		return ErrUnavailable
	}
	return ErrUnknown
}

// refused reports whether the server understood a request and said no: repeating it would not help.
func refused(err error) bool {
	var namespace *serviceerror.NamespaceNotFound
	if errors.As(err, &namespace) {
		return true
	}
	switch serviceerror.ToStatus(err).Code() {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// Started is what an order's workflow was started with: what can be learned without a worker.
type Started struct {
	Request order.Request // without the payment method
	Closed  bool          // it no longer runs: if it ended well, there is a row
}

// Describe returns what the order's workflow was started with, from its memo. It is order.ErrNotFound when there was no
// such workflow or Temporal has forgotten it; any other error means that Temporal could not be asked.
func (w *Workflows) Describe(ctx context.Context, id order.ID) (Started, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	d, err := w.client.SDK.DescribeWorkflowExecution(ctx, id.WorkflowID(), "")
	if notFound(err) {
		return Started{}, order.ErrNotFound
	}
	if err != nil {
		return Started{}, fmt.Errorf("describe the workflow of order %s: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	s := Started{Request: order.Request{ID: id}, Closed: info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING}
	for key, into := range map[string]any{
		memoUserID: &s.Request.UserID, memoHash: &s.Request.Hash, memoItems: &s.Request.Items, memoCreatedAt: &s.Request.CreatedAt,
	} {
		field, ok := info.GetMemo().GetFields()[key]
		if !ok {
			return Started{}, fmt.Errorf("memo of the workflow of order %s: %s is missing", id, key)
		}
		if err := w.client.converter.FromPayload(field, into); err != nil {
			return Started{}, fmt.Errorf("memo of the workflow of order %s: %s: %w", id, key, err)
		}
	}
	return s, nil
}

// notFound reports whether there is no such workflow, or only a closed one.
func notFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// Cancel asks the order's workflow to cancel the order. It returns nil once the workflow has accepted that: from then on
// the request is in the workflow's history, and the order's row will tell what became of it. It ends in ErrClosed,
// ErrUnavailable or ErrUnknown, the last also when ctx ends first. The update has a fixed ID, so repeating it is harmless.
func (w *Workflows) Cancel(ctx context.Context, id order.ID, req workflows.CancelRequest) error {
	ctx, trace := withTrace(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.giveUpUnsent(trace, cancel)()
	_, err := w.client.SDK.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id.WorkflowID(), UpdateID: workflows.UpdateCancel, UpdateName: workflows.UpdateCancel, Args: []any{req},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	switch {
	case err == nil:
		return nil
	case notFound(err):
		return fmt.Errorf("cancel order %s: %w", id, ErrClosed)
	default:
		return fmt.Errorf("cancel order %s: %w: %w", id, trace.kind(err), err)
	}
}

// StartPaymentEvent makes sure that the workflow of an event of the payment gateway runs or has completed. One that was
// terminated is started again when the gateway sends its event again.
func (w *Workflows) StartPaymentEvent(ctx context.Context, event order.PaymentEvent) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.startWithin)
	defer cancel()
	_, err := w.client.SDK.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: event.WorkflowID(), TaskQueue: w.taskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            fmt.Sprintf("%s of %s", event.Type, event.PaymentID),
	}, workflows.StripeEventWorkflow, event)
	if err != nil {
		return fmt.Errorf("start the workflow of event %s: %w", event.ID, err)
	}
	return nil
}
