package temporalclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/workflows"
)

// interruptedPage is how many workflows Interrupted lists at once.
const interruptedPage = 100

// Interrupted lists the orders with a workflow that was terminated, failed, timed out or was cancelled at or after since.
// The list comes from Temporal's visibility store and may lag behind.
func (w *Workflows) Interrupted(ctx context.Context, since time.Time, page []byte) ([]order.ID, []byte, error) {
	types := fmt.Sprintf("'%s', '%s'", workflows.CreateOrderWorkflow, workflows.RecoverOrderWorkflow)
	res, err := w.interrupted(ctx, types, since, page)
	if err != nil {
		return nil, nil, err
	}
	var ids []order.ID
	for _, e := range res.Executions {
		if id, ok := orderOf(e.Execution.GetWorkflowId()); ok {
			ids = append(ids, id)
		}
	}
	return ids, res.NextPageToken, nil
}

// interrupted lists workflows of the types that did not end well.
func (w *Workflows) interrupted(
	ctx context.Context, types string, since time.Time, page []byte,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	query := fmt.Sprintf("TaskQueue = '%s' AND WorkflowType IN (%s)"+
		" AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled')", w.taskQueue, types)
	if !since.IsZero() {
		query += fmt.Sprintf(" AND CloseTime >= '%s'", since.UTC().Format(time.RFC3339))
	}
	return w.client.SDK.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: query, PageSize: interruptedPage, NextPageToken: page,
	})
}

// orderOf returns the order that a workflow is about. Workflows with other IDs were not started by this system.
func orderOf(workflowID string) (order.ID, bool) {
	if len(workflowID) < idLength {
		return "", false
	}
	id, err := order.ParseID(workflowID[len(workflowID)-idLength:])
	return id, err == nil && (workflowID == id.WorkflowID() || workflowID == id.RecoveryID())
}

// idLength is the length of an order's ID.
const idLength = 36

// State returns the state of the order's first workflow. It asks the workflow itself, so it does not lag.
func (w *Workflows) State(ctx context.Context, id order.ID) (order.SagaState, error) {
	res, err := w.client.SDK.DescribeWorkflowExecution(ctx, id.WorkflowID(), "")
	if notFound(err) {
		return order.SagaUnknown, nil
	}
	if err != nil {
		return "", err
	}
	switch res.WorkflowExecutionInfo.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return order.SagaRunning, nil
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return order.SagaCompleted, nil
	default:
		return order.SagaInterrupted, nil
	}
}

// Request reads what the order's first workflow was started with from the first event of its history. When the server
// has forgotten that workflow, or it was started with something else, the order's recovery workflow may know.
func (w *Workflows) Request(ctx context.Context, id order.ID) (req order.Request, err error) {
	for _, workflowID := range []string{id.WorkflowID(), id.RecoveryID()} {
		req, err = input[order.Request](ctx, w, workflowID, "")
		if !notFound(err) && (err != nil || req.ID == id) {
			return req, err
		}
	}
	return order.Request{}, order.ErrNoRequest
}

// input reads what a run of a workflow was started with, the last run when runID is "". Anything but a T comes back as the
// zero value.
func input[T any](ctx context.Context, w *Workflows, workflowID, runID string) (T, error) {
	var in, none T
	history := w.client.SDK.GetWorkflowHistory(ctx, workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := history.Next()
	if err != nil {
		return none, err
	}
	if err := w.client.converter.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		return none, nil
	}
	return in, nil
}

// OtherSteps stands for the steps of workflows that older or newer builds run.
const OtherSteps = "other"

// Troubled counts the running workflows whose saga needs attention, by the step that stays broken. It asks once if there are
// none, and otherwise once more for each of the steps. The rest is under OtherSteps.
func (w *Workflows) Troubled(ctx context.Context, steps []string) (map[string]int64, error) {
	query := fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running' AND SagaStatus = '%s'",
		w.taskQueue, saga.StatusNeedsAttention)
	all, err := w.count(ctx, query)
	counts := map[string]int64{}
	if err != nil || all == 0 {
		return counts, err
	}
	for _, step := range steps {
		if counts[step], err = w.count(ctx, query+fmt.Sprintf(" AND SagaStep = '%s'", step)); err != nil {
			return nil, err
		}
		all -= counts[step]
	}
	counts[OtherSteps] = max(0, all) // a saga may have healed meanwhile
	return counts, nil
}

func (w *Workflows) count(ctx context.Context, query string) (int64, error) {
	res, err := w.client.SDK.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return 0, fmt.Errorf("count workflows (%s): %w", query, err)
	}
	return res.GetCount(), nil
}

// Recover starts the order's recovery workflow, unless one runs or has completed.
func (w *Workflows) Recover(ctx context.Context, req order.Request) error {
	return w.recover(ctx, req, workflows.RecoverOrderWorkflow, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
}

// RecoverAgain starts the order's recovery workflow unless one runs, also when one has completed.
func (w *Workflows) RecoverAgain(ctx context.Context, req order.Request) error {
	return w.recover(ctx, req, workflows.RecoverOrderWorkflow, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

// Rerun starts a workflow that runs the order's saga again, unless a recovery runs.
func (w *Workflows) Rerun(ctx context.Context, req order.Request) error {
	return w.recover(ctx, req, workflows.RerunOrderWorkflow, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

func (w *Workflows) recover(
	ctx context.Context, req order.Request, workflow string, again enums.WorkflowIdReusePolicy,
) error {
	_, err := w.client.SDK.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       req.ID.RecoveryID(),
		TaskQueue:                w.taskQueue,
		WorkflowIDReusePolicy:    again,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "finishes an interrupted order",
	}, workflow, req)
	if err != nil {
		return fmt.Errorf("start the recovery of order %s: %w", req.ID, err)
	}
	return nil
}

// searchTimeout ends a search that hangs, so that the next one can start. A search has nothing to undo. Six hours are enough
// for some 500,000 interrupted orders.
const searchTimeout = 6 * time.Hour

// ScheduleRecovery makes the server start a search for interrupted orders each interval, one at a time. There is one
// schedule per task queue, recover-<queue>; if another worker or an earlier start has made it, it gets this interval.
func (w *Workflows) ScheduleRecovery(ctx context.Context, interval time.Duration) error {
	return w.schedule(ctx, "recover-"+w.taskQueue, workflows.RecoverOrdersWorkflow, interval)
}

// ScheduleRefundLookups makes the server look up refunds at the gateway each interval, in the same way: follow-refunds-<queue>.
func (w *Workflows) ScheduleRefundLookups(ctx context.Context, interval time.Duration) error {
	return w.schedule(ctx, "follow-refunds-"+w.taskQueue, workflows.FollowRefundsWorkflow, interval)
}

func (w *Workflows) schedule(ctx context.Context, id, workflow string, interval time.Duration) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: interval}}}
	action := &client.ScheduleWorkflowAction{
		ID: id, TaskQueue: w.taskQueue, WorkflowRunTimeout: searchTimeout, Workflow: workflow,
	}
	schedules := w.client.SDK.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec, Action: action,
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		// After an outage one run is enough: each looks at everything that is left.
		CatchupWindow: interval + 10*time.Second,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				schedule := in.Description.Schedule
				schedule.Spec, schedule.Action = &spec, action
				return &client.ScheduleUpdate{Schedule: &schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("schedule %s every %s: %w", id, interval, err)
	}
	return nil
}
