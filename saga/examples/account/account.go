package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

// Application asks for an account.
type Application struct {
	Customer string   `json:"customer"`
	Pages    []string `json:"pages"` // of the customer's documents
}

// Approval is the argument of the signal SignalApproval.
type Approval struct {
	By      string `json:"by"`
	Granted bool   `json:"granted"`
	Reason  string `json:"reason"`
}

// SignalApproval carries a clerk's decision. The saga leaves a workflow's own signals alone.
const SignalApproval = "approval"

// ApprovalTimeout bounds the time from the application to the activation. The saga's deadline covers the wait for a signal
// like everything else.
const ApprovalTimeout = 72 * time.Hour

// documents is the suffix of the task queue of the workers that can read documents.
const documents = "-documents"

// Open opens an account. It reserves a number, has the documents checked on another task queue and waits for a clerk's
// approval. It returns the account's number.
func Open(ctx workflow.Context, app Application) (number string, err error) {
	var b *Bank // names the activities
	var c *Checker
	account := func(ctx workflow.Context) Account { return Account{Key: saga.Key(ctx), Customer: app.Customer} }
	plan := saga.Plan{
		Name: "account",
		Steps: []saga.Step{
			saga.Pair("Number", account, b.ReserveNumber, b.ReleaseNumber),
			{Name: "Documents", Options: workflow.ActivityOptions{
				TaskQueue:           workflow.GetInfo(ctx).TaskQueueName + documents,
				StartToCloseTimeout: 30 * time.Minute,
				HeartbeatTimeout:    10 * time.Second, // a lost worker is noticed after this time
			}, Do: func(ctx workflow.Context) error { return saga.Do(ctx, c.CheckDocuments, app.Pages) }},
			{Name: "Approval", Do: approval},
		},
		// Activating an account has no undo. There is no fence, so the history records the result of this activity.
		Pivot: saga.Step{Name: "Activate", Do: func(ctx workflow.Context) error {
			number, _ = saga.Result[string](ctx, "Number")
			return saga.Do(ctx, b.Activate, number)
		}},
	}
	_, err = plan.Run(ctx, saga.Options{PivotTimeout: ApprovalTimeout})
	return number, err
}

// approval waits for the signal. A denial is a refusal: the saga unwinds.
func approval(ctx workflow.Context) error {
	a, err := saga.Receive[Approval](ctx, workflow.GetSignalChannel(ctx, SignalApproval))
	if err != nil {
		return err // the saga was interrupted: cancelled, too late or given up
	}
	if !a.Granted {
		return saga.Refuse("DENIED", a.Reason+", by "+a.By, nil)
	}
	return nil
}

// Account is the input of the steps.
type Account struct {
	Key      string `json:"key"`
	Customer string `json:"customer"`
}

// Bank holds the activities that run where the workflow runs.
type Bank struct{ Numbers, Accounts *remote.Service }

// ReserveNumber reserves an account number.
func (b *Bank) ReserveNumber(_ context.Context, in Account) (number string, err error) {
	return b.Numbers.Take(in.Key, 1)
}

// ReleaseNumber undoes ReserveNumber.
func (b *Bank) ReleaseNumber(_ context.Context, in saga.Undoing[Account, string]) error {
	b.Numbers.GiveBack(in.Key)
	return nil
}

// Activate makes the account usable. Its number is its idempotency key.
func (b *Bank) Activate(_ context.Context, number string) error {
	_, err := b.Accounts.Take(number, 1)
	return err
}

// Checker holds the activities of the task queue for documents.
type Checker struct {
	Check func(page string) error
}

// CheckDocuments checks one page after the other and reports how far it has come. An attempt goes on where the one before
// has stopped.
func (c *Checker) CheckDocuments(ctx context.Context, pages []string) error {
	checked := 0
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &checked); err != nil {
			return err
		}
	}
	for ; checked < len(pages); checked++ {
		activity.RecordHeartbeat(ctx, checked)
		if err := c.Check(pages[checked]); err != nil {
			return err
		}
	}
	return nil
}
