package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/ordersaga/ordersaga/saga"
)

// command is what an operator sends with a signal.
func command(step string) saga.Command {
	return saga.Command{Operator: "alice", Reason: "ticket 7", Step: step}
}

// signalSaga sends a signal to an order's saga.
func (s *system) signalSaga(id, name string, argument any) {
	s.t.Helper()
	if err := s.temporal.SignalWorkflow(s.t.Context(), workflowID(id), "", name, argument); err != nil {
		s.t.Fatalf("signal %s to order %s: %v", name, id, err)
	}
}

// gatewayKey restarts the gateway with another API key. When it differs from the worker's, only a person can help: sagas that
// charge or refund need attention at once.
func (s *system) gatewayKey(key string) {
	s.t.Helper()
	s.stripesim.stop(syscall.SIGTERM)
	s.stripesim.env = append(s.stripesim.env, "STRIPESIM_API_KEY="+key)
	s.stripesim.start()
	s.stripesim.ready()
}

// needsAttention waits until the saga says that the step stays broken.
func (s *system) needsAttention(id, step string) {
	s.t.Helper()
	s.details(id, "**"+step+"** stays broken")
}

// details waits until the saga's current details hold the text, and returns them.
func (s *system) details(id, text string) (details string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the details of order %s hold %q", id, text), func(ctx context.Context) bool {
		value, err := s.temporal.QueryWorkflow(ctx, workflowID(id), "", "__temporal_workflow_metadata")
		if err != nil {
			return false
		}
		var metadata sdkpb.WorkflowMetadata
		if err := value.Get(&metadata); err != nil {
			return false
		}
		details = metadata.CurrentDetails
		return strings.Contains(details, text)
	})
	return details
}

// sagaStatus waits until a search by status finds the order's saga: the index lags a little.
func (s *system) sagaStatus(id, status string) {
	s.t.Helper()
	eventually(s.t, "order "+id+" is found by SagaStatus "+status, func(ctx context.Context) bool {
		n, err := s.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowId = '%s' AND SagaStatus = '%s'", workflowID(id), status),
		})
		return err == nil && n.Count == 1
	})
}

func TestOperatorsHelpSagasThatNeedAttention(t *testing.T) {
	s := newSystem(t)
	s.gatewayKey("sk_test_another")
	retried, given, left := s.placeAsync(visa, lamp, 1), s.placeAsync(visa, lamp, 1), s.placeAsync(visa, lamp, 1)
	for _, id := range []string{retried, given, left} {
		s.needsAttention(id, "ChargePayment")
		s.sagaStatus(id, "NEEDS_ATTENTION")
	}

	for name, wrong := range map[string]struct {
		signal, step, details string
	}{
		"nothing can be skipped":     {"skip", "", "waits for nothing"},
		"a step that is not due":     {"retry", "ReleaseStock", "does not wait for ReleaseStock"},
		"a step that does not exist": {"skip", "Nonsense", `no step or undo is named "Nonsense"`},
	} {
		s.signalSaga(retried, wrong.signal, command(wrong.step))
		if got := s.details(retried, wrong.details); !strings.Contains(got, "**ChargePayment** stays broken") {
			t.Errorf("%s: the details are %q", name, got)
		}
	}
	s.signalSaga(retried, "retry", saga.Command{Reason: "without a name"})
	s.details(retried, `needs an "operator"`)
	if !strings.Contains(s.worker.logs.String(), "command rejected") {
		t.Error("the worker's log does not mention rejected commands")
	}

	// Giving up: the undo of the charge needs the gateway, too, and can be skipped.
	for _, id := range []string{given, left} {
		s.signalSaga(id, "compensate", command(""))
		s.needsAttention(id, "RefundPayment")
	}
	s.signalSaga(left, "skip", command("RefundPayment"))
	wantEnd(t, s.finished(left), "CANCELLED", "CANCELLED_BY_OPERATOR")

	s.gatewayKey(apiKey)
	s.signalSaga(retried, "retry", command("ChargePayment"))
	s.signalSaga(given, "retry", command(""))
	orders := s.keepsPromises(retried, given, left)
	wantEnd(t, orders[retried], "CONFIRMED", "")
	wantEnd(t, orders[given], "CANCELLED", "CANCELLED_BY_OPERATOR")
	s.sagaStatus(retried, "HEALED")
	s.sagaStatus(left, "GIVEN_UP")
	for id, want := range map[string][]string{
		retried: {"NEEDS_ATTENTION ChargePayment", "COMMAND retry by alice: ticket 7", "HEALED ChargePayment"},
		given:   {"COMMAND compensate by alice: ticket 7", "NEEDS_ATTENTION RefundPayment", "COMMAND retry by alice: ticket 7"},
		left:    {"COMMAND compensate by alice: ticket 7", "COMMAND skip by alice: ticket 7", "SKIPPED RefundPayment"},
	} {
		s.closed(id) // the last entries are written after the last transition
		told := s.told(id)
		for _, line := range want {
			if !slices.ContainsFunc(told, func(l string) bool { return strings.HasPrefix(l, line) }) {
				t.Errorf("the timeline of order %s lacks %q: %q", id, line, told)
			}
		}
	}
}

func TestAfterThePivotAnOrderCannotBeGivenUpButItsEventCanBeSkipped(t *testing.T) {
	s := newSystem(t)
	s.toRabbitMQ.down()
	id := s.place(visa, lamp, 1).orderID()
	s.signalSaga(id, "compensate", command(""))
	s.details(id, "The signal compensate changed nothing: the saga's end is already decided")
	if err := s.temporal.CancelWorkflow(t.Context(), workflowID(id), ""); err != nil {
		t.Fatal(err)
	}
	s.signalSaga(id, "skip", command("PublishEvent"))
	s.closed(id)
	s.toRabbitMQ.up()
	wantEnd(t, s.order(id), "CONFIRMED", "")
	s.paidOnce(s.order(id))
	if told := s.told(id); !slices.Contains(told, "SKIPPED PublishEvent") {
		t.Errorf("the timeline is %q", told)
	}
}
