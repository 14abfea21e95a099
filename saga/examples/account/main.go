// Program account opens an account: documents are checked by an activity with a heartbeat on another task queue, and a clerk
// approves by signal within three days.
package main

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/example"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

const queue = "accounts"

func main() {
	bank := &Bank{Numbers: remote.New("number", 10), Accounts: remote.New("account", 10)}
	example.Main(queue, func(w worker.Registry) { register(w, bank) }, open)
}

// register registers what the workers of the main task queue run.
func register(w worker.Registry, b *Bank) {
	saga.Register(w)
	w.RegisterWorkflow(Open)
	w.RegisterActivity(b)
}

func open(ctx context.Context, c client.Client) error {
	checker := worker.New(c, queue+documents, worker.Options{DisableWorkflowWorker: true})
	checker.RegisterActivity(&Checker{Check: func(page string) error {
		fmt.Println("checked the", page)
		return nil
	}})
	if err := checker.Start(); err != nil {
		return err
	}
	defer checker.Stop()

	app := Application{Customer: "Ada", Pages: []string{"passport", "proof of address"}}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, Open, app)
	if err != nil {
		return err
	}
	fmt.Printf("approve or deny within %s:\n  temporal workflow signal --workflow-id %s --name %s --input '%s'\n",
		ApprovalTimeout, run.GetID(), SignalApproval, `{"by": "you", "granted": true}`)
	var number string
	if err := run.Get(ctx, &number); err != nil {
		return err
	}
	fmt.Println("opened account", number)
	return nil
}
