package e2e

import (
	"context"
	"syscall"
	"testing"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// TestSagaResetToAnyPointKeepsItsPromises resets finished sagas to every possible point: the only workflow task of a saga on the
// fast path, and each workflow task of two sagas on regular activities, one confirmed and one undone. Then it resets a saga
// that has just taken the money and does not know it yet.
func TestSagaResetToAnyPointKeepsItsPromises(t *testing.T) {
	s := newGatedSystem(t)
	fast := s.place(visa, lamp, 1).orderID()
	s.resetEverywhere(fast, 1)
	s.worker.stop(syscall.SIGTERM)
	s.worker.env = append(s.worker.env, "FAST_PATH=false")
	s.worker.start()
	confirmed, undone := s.place(visa, lamp, 1).orderID(), s.place(declined, lamp, 1).orderID()
	s.resetEverywhere(confirmed, 8)
	s.resetEverywhere(undone, 8)

	h := s.toGateway.hold(true, call("POST", "/confirm"))
	paying := s.placeAsync(visa, lamp, 1)
	h.await(t)
	s.reset(paying, s.run(paying), s.resetPoints(paying, "")[0])
	h.release()
	s.closed(paying)

	orders := s.keepsPromises(fast, confirmed, undone, paying)
	wantEnd(t, orders[fast], "CONFIRMED", "")
	wantEnd(t, orders[confirmed], "CONFIRMED", "")
	wantEnd(t, orders[undone], "FAILED", "PAYMENT_DECLINED")
	wantEnd(t, orders[paying], "CONFIRMED", "")
}

// resetEverywhere resets a saga to each point of its first run, one after the other. There must be enough points, and the
// order must stay as it is.
func (s *system) resetEverywhere(id string, enough int) {
	s.t.Helper()
	s.closed(id)
	before, first := s.order(id), s.run(id)
	points := s.resetPoints(id, first)
	if len(points) < enough {
		s.t.Errorf("order %s can be reset only to %v", id, points)
	}
	for _, event := range points {
		s.reset(id, first, event)
		s.closed(id)
		after := s.order(id)
		wantEnd(s.t, after, string(before.Status), before.Reason)
		s.paidOnce(after)
		s.announcedOnce(after)
	}
	s.t.Logf("order %s was reset to the events %v", id, points)
}

// run returns the ID of the saga's latest run.
func (s *system) run(id string) string {
	s.t.Helper()
	d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID(id), "")
	if err != nil {
		s.t.Fatal(err)
	}
	return d.WorkflowExecutionInfo.Execution.RunId
}

// closed waits until the saga's latest run is closed, and checks that it completed.
func (s *system) closed(id string) {
	s.t.Helper()
	var status enumspb.WorkflowExecutionStatus
	eventually(s.t, "the saga of order "+id+" is closed", func(ctx context.Context) bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, workflowID(id), "")
		status = d.GetWorkflowExecutionInfo().GetStatus()
		return err == nil && status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	if status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		s.t.Errorf("the saga of order %s ended %s", id, status)
	}
}

// resetPoints returns the events to which a run can be reset: the ends of its workflow tasks.
func (s *system) resetPoints(id, run string) []int64 {
	s.t.Helper()
	var points []int64
	history := s.temporal.GetWorkflowHistory(s.t.Context(), workflowID(id), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		if event.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			points = append(points, event.EventId)
		}
	}
	return points
}

// reset runs the saga again from the workflow task that ended with the event.
func (s *system) reset(id, run string, event int64) {
	s.t.Helper()
	_, err := s.temporal.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         s.namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID(id), RunId: run},
		Reason:            "a test", WorkflowTaskFinishEventId: event, RequestId: uuid.NewString(),
	})
	if err != nil {
		s.t.Fatalf("reset order %s to event %d: %v", id, event, err)
	}
}
