package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// sagas is what this program asks of the engine that runs the orders' sagas.
type sagas interface {
	// Start makes sure that the order's saga runs or has run, and reports whether this call started it. Errors:
	// errUnavailable, errUnknown.
	Start(ctx context.Context, req order.Request) (started bool, err error)
	// StartAndWait does the same and waits, at most for the given time, until the order's end is known; it returns the
	// order. Errors: errUndecided, and those of Start.
	StartAndWait(ctx context.Context, req order.Request, wait time.Duration) (o order.Order, started bool, err error)
	// Describe returns what the saga of an order was started with, or order.ErrNotFound when there is or was none that
	// is still remembered. Other errors mean that nobody could be asked.
	Describe(ctx context.Context, id order.ID) (started, error)
	// Cancel asks to cancel the order, waits until its end is known and returns the order. Errors: errClosed,
	// errUndecided, errUnavailable, errUnknown.
	Cancel(ctx context.Context, id order.ID, req workflows.CancelRequest, wait time.Duration) (order.Order, error)
}

// started is what a saga was started with, as far as it can be learned without a worker.
type started struct {
	order.Request           // without the payment method
	at            time.Time // when
	closed        bool      // it does not run any more: if it ended well, there is a row
}

// What can be wrong with an answer of sagas. Everything else about Temporal stays in this file.
var (
	errUnavailable = errors.New("the request was not accepted")         // and nothing was done
	errUnknown     = errors.New("the request may have been accepted")   // the answer was lost
	errUndecided   = errors.New("the order's end is not known in time") // the request was accepted
	errClosed      = errors.New("the saga does not run any more")       // ask the row
)

// Time-outs of calls to Temporal.
const (
	// reachTimeout is how long a request may try to get onto the wire before the engine counts as unreachable.
	reachTimeout = 2 * time.Second
	// startTimeout bounds a start, and repeating one of which the answer was lost. gRPC repeats within it.
	startTimeout    = 5 * time.Second
	describeTimeout = 2 * time.Second
)

// workflowTaskTimeout is how long a worker that died delays an order.
const workflowTaskTimeout = 5 * time.Second

// The keys of the memo, which can be read without a worker.
const (
	memoUserID = "userId"
	memoHash   = "hash"
	memoItems  = "items"
)

// updateID is fixed per kind of update: repeating one returns the first one's result, also after the workflow closed.
const (
	outcomeUpdateID = workflows.UpdateOutcome
	cancelUpdateID  = workflows.UpdateCancel
)

// temporalSagas runs sagas as Temporal workflows.
type temporalSagas struct {
	running   context.Context // done when the program is asked to stop: nobody waits for outcomes from then on
	client    client.Client
	taskQueue string
	// Time-outs; only tests change them.
	reach, startWithin time.Duration
}

func newTemporalSagas(running context.Context, c client.Client, taskQueue string) *temporalSagas {
	return &temporalSagas{
		running: running, client: c, taskQueue: taskQueue, reach: reachTimeout, startWithin: startTimeout,
	}
}

// Start starts the workflow. It goes on when the client hangs up: the order may be on its way already.
func (t *temporalSagas) Start(ctx context.Context, req order.Request) (bool, error) {
	ctx, trace := temporalclient.WithTrace(context.WithoutCancel(ctx))
	if err := t.start(ctx, req, trace); err != nil {
		return false, startError(req.ID, err, trace)
	}
	return trace.Started(), nil
}

// StartAndWait starts the workflow and asks for its outcome in one request. When no outcome comes in time the start
// itself is in doubt, so it is repeated by itself: that is answered at once, by the server alone.
func (t *temporalSagas) StartAndWait(
	ctx context.Context, req order.Request, wait time.Duration,
) (order.Order, bool, error) {
	ctx, trace := temporalclient.WithTrace(context.WithoutCancel(ctx))
	o, err := t.updateWithStart(ctx, req, wait, trace)
	switch {
	case err == nil:
		return o, trace.Started(), nil
	case alreadyRan(err):
		return order.Order{}, trace.Started(), errUndecided
	case !trace.Sent() || refused(err):
		return order.Order{}, false, startError(req.ID, err, trace)
	}
	if again := t.start(ctx, req, trace); again != nil {
		return order.Order{}, false, startError(req.ID, errors.Join(err, again), trace)
	}
	return order.Order{}, trace.Started(), fmt.Errorf("order %s: %w: %w", req.ID, errUndecided, err)
}

func (t *temporalSagas) start(ctx context.Context, req order.Request, trace *temporalclient.Trace) error {
	ctx, cancel := context.WithTimeout(ctx, t.startWithin)
	defer cancel()
	defer t.giveUpUnsent(trace, cancel)()
	// That the workflow runs or ran already is not an error here.
	_, err := t.client.ExecuteWorkflow(ctx, t.options(req), workflows.CreateOrderWorkflow, req)
	return err
}

func (t *temporalSagas) updateWithStart(
	ctx context.Context, req order.Request, wait time.Duration, trace *temporalclient.Trace,
) (order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(t.running, cancel)()
	defer t.giveUpUnsent(trace, cancel)()
	handle, err := t.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: t.client.NewWithStartWorkflowOperation(t.options(req), workflows.CreateOrderWorkflow, req),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: outcomeUpdateID, UpdateName: workflows.UpdateOutcome, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		return order.Order{}, err
	}
	var o order.Order
	return o, handle.Get(ctx, &o)
}

// giveUpUnsent cancels a request that does not get onto the wire. Its result ends the watch.
func (t *temporalSagas) giveUpUnsent(trace *temporalclient.Trace, cancel context.CancelFunc) func() bool {
	return time.AfterFunc(t.reach, func() {
		if !trace.Sent() {
			cancel()
		}
	}).Stop
}

// options name the workflow after the order, join one that runs, and never run a finished one again. There is no
// workflow time-out: it would end the saga without undoing anything.
func (t *temporalSagas) options(req order.Request) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: req.ID.WorkflowID(), TaskQueue: t.taskQueue,
		WorkflowTaskTimeout:      workflowTaskTimeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		Memo:                     map[string]any{memoUserID: req.UserID, memoHash: req.Hash, memoItems: req.Items},
		StaticSummary:            fmt.Sprintf("user %d, lines: %d", req.UserID, len(req.Items)),
	}
}

func startError(id order.ID, err error, trace *temporalclient.Trace) error {
	kind := errUnknown
	if !trace.Sent() || refused(err) {
		kind = errUnavailable
	}
	return fmt.Errorf("start the saga of order %s: %w: %w", id, kind, err)
}

// alreadyRan reports whether the server refused a start because the workflow has run and is closed, or closed before it
// took the update.
func alreadyRan(err error) bool {
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	return errors.As(err, &already) || notRunning(err)
}

// notRunning reports whether there is no such workflow, or only a closed one.
func notRunning(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// refused reports whether the server understood a start and said no: repeating it would not help, and nothing was
// started. A failed precondition is none of these: it may be the update's, of a workflow that was started and whose first
// task failed or took too long (WorkflowNotReady).
func refused(err error) bool {
	var namespace *serviceerror.NamespaceNotFound
	if errors.As(err, &namespace) {
		return true
	}
	var e interface{ Status() *status.Status }
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status().Code() {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// Describe reads the workflow's memo.
func (t *temporalSagas) Describe(ctx context.Context, id order.ID) (started, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	d, err := t.client.DescribeWorkflowExecution(ctx, id.WorkflowID(), "")
	if notRunning(err) {
		return started{}, order.ErrNotFound
	}
	if err != nil {
		return started{}, fmt.Errorf("describe the saga of order %s: %w", id, err)
	}
	info := d.GetWorkflowExecutionInfo()
	s := started{
		Request: order.Request{ID: id}, at: info.GetStartTime().AsTime(),
		closed: info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}
	for key, into := range map[string]any{memoUserID: &s.UserID, memoHash: &s.Hash, memoItems: &s.Items} {
		field, ok := info.GetMemo().GetFields()[key]
		if !ok {
			return started{}, fmt.Errorf("memo of the saga of order %s: %s is missing", id, key)
		}
		if err := converter.GetDefaultDataConverter().FromPayload(field, into); err != nil {
			return started{}, fmt.Errorf("memo of the saga of order %s: %s: %w", id, key, err)
		}
	}
	return s, nil
}

// Cancel sends the update and waits for two things: that it is accepted, from when on it is kept whatever happens, and
// that the order's end is known.
func (t *temporalSagas) Cancel(
	ctx context.Context, id order.ID, req workflows.CancelRequest, wait time.Duration,
) (order.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	ctx, trace := temporalclient.WithTrace(ctx)
	defer context.AfterFunc(t.running, cancel)()
	defer t.giveUpUnsent(trace, cancel)()
	handle, err := t.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id.WorkflowID(), UpdateID: cancelUpdateID, UpdateName: workflows.UpdateCancel, Args: []any{req},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	switch {
	case notRunning(err):
		return order.Order{}, errClosed
	case err != nil && (!trace.Sent() || refused(err)):
		return order.Order{}, fmt.Errorf("cancel order %s: %w: %w", id, errUnavailable, err)
	case err != nil:
		return order.Order{}, fmt.Errorf("cancel order %s: %w: %w", id, errUnknown, err)
	}
	var o order.Order
	if err := handle.Get(ctx, &o); err != nil {
		return order.Order{}, fmt.Errorf("cancel order %s: %w: %w", id, errUndecided, err)
	}
	return o, nil
}
