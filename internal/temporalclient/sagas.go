package temporalclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Sagas sees the orders' workflows as the server knows them. It is what recovery is made of.
type Sagas struct {
	Client      client.Client
	TaskQueue   string // only workflows on this queue are seen
	CreateType  string // workflow type that takes an order to its end
	RecoverType string // workflow type that does so after the first was interrupted
}

// interruptedPage is how many workflows Interrupted lists at once.
const interruptedPage = 100

// Interrupted lists orders of which a workflow ended at or after since in another way than completing: terminated,
// failed, timed out or cancelled. The list comes from Temporal's visibility store and may lag behind.
func (s Sagas) Interrupted(ctx context.Context, since time.Time, page []byte) ([]order.ID, []byte, error) {
	query := fmt.Sprintf("TaskQueue = '%s' AND WorkflowType IN ('%s', '%s')"+
		" AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled')", s.TaskQueue, s.CreateType, s.RecoverType)
	if !since.IsZero() {
		query += fmt.Sprintf(" AND CloseTime >= '%s'", since.UTC().Format(time.RFC3339))
	}
	res, err := s.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: query, PageSize: interruptedPage, NextPageToken: page,
	})
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
func (s Sagas) State(ctx context.Context, id order.ID) (order.SagaState, error) {
	res, err := s.Client.DescribeWorkflowExecution(ctx, id.WorkflowID(), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return order.SagaUnknown, nil
	}
	if err != nil {
		return "", err
	}
	switch res.WorkflowExecutionInfo.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return order.SagaRunning, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return order.SagaCompleted, nil
	default:
		return order.SagaInterrupted, nil
	}
}

// Request reads what the order's first workflow was started with from the first event of its history. When the server
// has forgotten that workflow, or it was started with something else, the order's recovery workflow may know.
func (s Sagas) Request(ctx context.Context, id order.ID) (req order.Request, err error) {
	for _, workflowID := range []string{id.WorkflowID(), id.RecoveryID()} {
		req, err = s.input(ctx, workflowID)
		var missing *serviceerror.NotFound
		switch {
		case errors.As(err, &missing), err == nil && req.ID != id:
			continue
		default:
			return req, err
		}
	}
	return order.Request{}, order.ErrNoRequest
}

// input decodes what a workflow was started with; what is no request comes back as an empty one.
func (s Sagas) input(ctx context.Context, workflowID string) (req order.Request, err error) {
	history := s.Client.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := history.Next()
	if err != nil {
		return req, err
	}
	input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := converter.GetDefaultDataConverter().FromPayloads(input, &req); err != nil {
		return order.Request{}, nil
	}
	return req, nil
}

// Recover starts the order's recovery workflow, unless one runs or has completed.
func (s Sagas) Recover(ctx context.Context, req order.Request) error {
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       req.ID.RecoveryID(),
		TaskQueue:                s.TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "brings an interrupted order to its end",
	}, s.RecoverType, req)
	var done *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &done) {
		return nil
	}
	return err
}
