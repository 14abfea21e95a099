package worker

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/workflows"
)

// versioning tells the server which build this worker is, so that a saga stays with the build that it began with. It is off
// by default: then any worker runs any saga, and a change of the workflows' code must keep old histories replaying.
// docs/deploying.md shows how to roll out a new build.
type versioning struct {
	Deployment string `env:"WORKER_DEPLOYMENT_NAME" help:"for example orders; with WORKER_BUILD_ID: worker versioning"`
	BuildID    string `env:"WORKER_BUILD_ID" help:"this build, for example a commit or a release; it changes with the code"`
}

// Validate refuses what the server would refuse, and half a version.
func (v versioning) Validate() error {
	var problems []error
	if (v.Deployment == "") != (v.BuildID == "") {
		problems = append(problems, errors.New("WORKER_DEPLOYMENT_NAME, WORKER_BUILD_ID: want both or neither"))
	}
	if strings.ContainsAny(v.Deployment, ".:") || strings.HasPrefix(v.Deployment, "__") {
		problems = append(problems, errors.New(`WORKER_DEPLOYMENT_NAME: must not contain "." or ":", nor begin with "__"`))
	}
	if strings.HasPrefix(v.BuildID, "__") {
		problems = append(problems, errors.New(`WORKER_BUILD_ID: must not begin with "__"`))
	}
	return errors.Join(problems...)
}

func (v versioning) options() worker.DeploymentOptions {
	if v.Deployment == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning: true,
		Version:       worker.WorkerDeploymentVersion{DeploymentName: v.Deployment, BuildID: v.BuildID},
	}
}

// registerWorkflows registers the workflows, and how each takes a new build; without versioning that has no effect. A
// workflow that acts on one order is pinned: it ends with the code that it began with. The searches for interrupted orders and
// for news of refunds change nothing themselves and move to the newest code, because a long one would keep an old build busy.
func registerWorkflows(w worker.WorkflowRegistry) {
	pinned := workflow.RegisterOptions{VersioningBehavior: workflow.VersioningBehaviorPinned}
	w.RegisterWorkflowWithOptions(workflows.CreateOrder, pinned)
	w.RegisterWorkflowWithOptions(workflows.RecoverOrder, pinned)
	w.RegisterWorkflowWithOptions(workflows.RerunOrder, pinned)
	w.RegisterWorkflowWithOptions(workflows.StripeEvent, pinned)
	w.RegisterWorkflowWithOptions(workflows.RefundOrder, pinned)
	w.RegisterWorkflowWithOptions(workflows.ShipOrder, pinned)
	newest := workflow.RegisterOptions{VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade}
	w.RegisterWorkflowWithOptions(workflows.RecoverOrders, newest)
	w.RegisterWorkflowWithOptions(workflows.FollowRefunds, newest)
}
