package temporalclient_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// TestAnUpdateThatWasLostWithAWorkflowThatHasEndedIsAnsweredAtOnce is about a server that stumbled between the start and
// the update of one request: the workflow ran to its end without the update, and the request is sent again.
func TestAnUpdateThatWasLostWithAWorkflowThatHasEndedIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	address, queue := servicestest.Temporal(t)
	c, err := temporalclient.Open(temporalclient.Config{Address: address}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it would be used up to its end
	defer cancel()
	ctx, trace := temporalclient.WithTrace(ctx)
	options := client.StartWorkflowOptions{
		ID: servicestest.Name("order-"), TaskQueue: queue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
	if _, err := c.ExecuteWorkflow(ctx, options, "CreateOrder"); err != nil {
		t.Fatal(err)
	}
	if err := c.TerminateWorkflow(ctx, options.ID, "", "there is no worker that could end it"); err != nil {
		t.Fatal(err)
	}
	update := func(ctx context.Context) error {
		_, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: c.NewWithStartWorkflowOperation(options, "CreateOrder"),
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateID: "outcome", UpdateName: "outcome", WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		return err
	}
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if err := update(ctx); !errors.As(err, &already) || !trace.Started() {
		t.Errorf("the same request: started is %v, got %v; want that this request has started the workflow", trace.Started(), err)
	}
	ctx, trace = temporalclient.WithTrace(ctx)
	if err := update(ctx); !errors.As(err, &already) || trace.Started() {
		t.Errorf("another request: started is %v, got %v; want that the workflow was started before", trace.Started(), err)
	}
}
