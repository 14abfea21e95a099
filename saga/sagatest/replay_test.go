package sagatest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

// testdata/histories holds the histories of two trips on a real server: one that went forward, one that was refused a car.
const histories = "testdata/histories/*.json"

// replayed registers a workflow as the one in the histories.
func replayed(trip any) func(worker.WorkflowReplayer) {
	return func(r worker.WorkflowReplayer) {
		r.RegisterWorkflowWithOptions(trip, workflow.RegisterOptions{Name: "takeTrip"})
	}
}

// TestRecordTrips records the histories again when SAGATEST_UPDATE is set, on the server at TEST_TEMPORAL_ADDRESS.
func TestRecordTrips(t *testing.T) {
	server := os.Getenv("TEST_TEMPORAL_ADDRESS")
	if os.Getenv("SAGATEST_UPDATE") == "" || server == "" {
		t.Skip("SAGATEST_UPDATE and TEST_TEMPORAL_ADDRESS are not both set")
	}
	c, err := client.Dial(client.Options{HostPort: server, Identity: "client"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, noCars := range map[string]bool{"done": false, "unwound": true} {
		a := newAgency()
		a.cancelled["car"] = noCars
		queue := fmt.Sprintf("sagatest-%s-%d", name, time.Now().UnixNano())
		w := worker.New(c, queue, worker.Options{Identity: "worker"})
		w.RegisterActivity(a)
		w.RegisterWorkflow(takeTrip)
		saga.Register(w)
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, takeTrip, "Rome")
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Get(t.Context(), nil); (err != nil) != noCars {
			t.Errorf("%s: %v", name, err)
		}
		if err := sagatest.Record(t.Context(), c, run, "testdata/histories/"+name+".json"); err != nil {
			t.Error(err)
		}
		w.Stop()
	}
}

func TestRecordedTripsReplay(t *testing.T) {
	t.Parallel()
	sagatest.Replay(t, histories, replayed(takeTrip))
}

func TestReplayNoticesAChangedPlan(t *testing.T) {
	t.Parallel()
	seen := &problems{TB: t}
	sagatest.Replay(seen, histories, replayed(planned(func(_ workflow.Context, p *saga.Plan) {
		p.Steps[0], p.Steps[1] = p.Steps[1], p.Steps[0]
	})))
	if len(seen.all) != 2 {
		t.Errorf("%d of 2 histories are noticed", len(seen.all))
	}
}
