//go:build long

package e2e

import (
	"context"
	"syscall"
	"testing"

	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// TestDeploying rolls out a new build of the worker with the commands of docs/deploying.md.
func TestDeploying(t *testing.T) {
	namespace := servicestest.Name("deploying")
	address, _ := servicestest.Temporal(t)
	book := newReader(t, "../docs/deploying.md", "TEMPORAL_NAMESPACE="+namespace, "TEMPORAL_ADDRESS="+address)
	defer book.finish()
	book.run("namespace")
	s := newGatedSystemIn(t, namespace, "WORKER_DEPLOYMENT_NAME=orders", "WORKER_BUILD_ID=v1")

	waiting := s.placeAsync(visa, lamp, 1) // no build is current yet
	book.eventually("current", "BUILD=v1")
	old := s.place(visa, lamp, 1).orderID()
	s.closed(old)
	s.builtBy(old, "v1")
	s.gatewayKey("sk_test_another")
	stuck := s.placeAsync(visa, lamp, 1)
	s.needsAttention(stuck, "ChargePayment")
	s.gatewayKey(apiKey)

	addr := porttest.FreeAddress(t)
	second := newProcess(t, "worker", addr, append(s.worker.env[:len(s.worker.env):len(s.worker.env)],
		"WORKER_ADDR="+addr, "WORKER_BUILD_ID=v2")...)
	second.start()
	second.ready()
	book.eventually("ramp", "BUILD=v2")
	book.eventually("current", "BUILD=v2")
	fresh := s.place(visa, lamp, 1).orderID()
	s.builtBy(fresh, "v2")
	s.builtBy(stuck, "v1")
	book.tells("draining", book.run("draining", "OLD=v1"), "draining")

	book.run("move", "ORDER="+stuck, "BUILD=v2")
	s.worker.stop(syscall.SIGTERM)
	s.signalSaga(stuck, "retry", command(""))
	wantEnd(t, s.finished(stuck), "CONFIRMED", "")
	book.run("reset", "ORDER="+old, "BUILD=v2")
	s.closed(old)
	s.builtBy(old, "v2")
	for _, o := range s.keepsPromises(waiting, old, stuck, fresh) {
		wantEnd(t, o, "CONFIRMED", "")
	}
}

// builtBy waits until the saga is pinned to a build of the worker.
func (s *system) builtBy(id, build string) {
	s.t.Helper()
	eventually(s.t, "order "+id+" is pinned to build "+build, func(ctx context.Context) bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, workflowID(id), "")
		return err == nil && d.WorkflowExecutionInfo.GetVersioningInfo().GetDeploymentVersion().GetBuildId() == build
	})
}
