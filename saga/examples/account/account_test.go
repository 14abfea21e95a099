package main

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/exampletest"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

var ada = Application{Customer: "Ada", Pages: []string{"passport", "proof of address", "photo"}}

// pages records which pages were checked, and fails as often as breaks says at each.
type pages struct {
	mu      sync.Mutex
	checked []string
	breaks  map[string]int
}

func (p *pages) check(page string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breaks[page] > 0 {
		p.breaks[page]--
		return errors.New("the scanner is on fire")
	}
	p.checked = append(p.checked, page)
	return nil
}

func newBank() *Bank {
	return &Bank{Numbers: remote.New("number", 1), Accounts: remote.New("account", 1)}
}

func start(t *testing.T, b *Bank, p *pages) (*exampletest.Server, client.WorkflowRun) {
	s := exampletest.Connect(t)
	s.Work("", func(w worker.Registry) { register(w, b) })
	s.Work(documents, func(w worker.Registry) { w.RegisterActivity(&Checker{Check: p.check}) })
	return s, s.Start(Open, ada)
}

func (b *Bank) check(t *testing.T, numbers, accounts int) {
	t.Helper()
	if n, a := b.Numbers.Left(), b.Accounts.Left(); n != numbers || a != accounts {
		t.Errorf("%d numbers and %d accounts are left, want %d and %d", n, a, numbers, accounts)
	}
}

func TestApprovedAccountIsOpened(t *testing.T) {
	t.Parallel()
	b, p := newBank(), &pages{breaks: map[string]int{"photo": 1}}
	s, run := start(t, b, p)
	if err := s.SignalWorkflow(t.Context(), run.GetID(), "", SignalApproval, Approval{By: "Grace", Granted: true}); err != nil {
		t.Fatal(err)
	}
	var number string
	if err := run.Get(t.Context(), &number); err != nil || number != "number 1" {
		t.Errorf("%q, %v", number, err)
	}
	b.check(t, 0, 0)
	if !slices.Equal(p.checked, ada.Pages) {
		t.Errorf("checked %q, want each page once, because the second attempt goes on where the first has stopped", p.checked)
	}
}

func TestDeniedAccountGivesItsNumberBack(t *testing.T) {
	t.Parallel()
	b := newBank()
	s, run := start(t, b, &pages{})
	denied := Approval{By: "Grace", Reason: "the photo shows a cat"}
	if err := s.SignalWorkflow(t.Context(), run.GetID(), "", SignalApproval, denied); err != nil {
		t.Fatal(err)
	}
	outcome, ok := saga.Unwound(run.Get(t.Context(), nil))
	if !ok || outcome.Cause.Kind != saga.Refused || outcome.Cause.Code != "DENIED" || outcome.Cause.Step != "Approval" {
		t.Errorf("%+v, %t", outcome, ok)
	}
	b.check(t, 1, 1)
}

func TestCancelEndsTheWaitForAnApproval(t *testing.T) {
	t.Parallel()
	b := newBank()
	s, run := start(t, b, &pages{})
	s.Cancel()
	if err := run.Get(t.Context(), nil); !temporal.IsCanceledError(err) {
		t.Errorf("%v, want a cancelled workflow", err)
	}
	b.check(t, 1, 1)
}

// The test environment skips the three days.
func TestAccountThatIsNotApprovedWithinThreeDaysGivesItsNumberBack(t *testing.T) {
	t.Parallel()
	approvals := map[string]time.Duration{"in time": ApprovalTimeout - time.Minute, "too late": ApprovalTimeout + time.Minute}
	for name, after := range approvals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestWorkflowEnvironment()
			env.SetTestTimeout(time.Minute)
			b := newBank()
			register(env, b)
			env.RegisterActivity(&Checker{Check: (&pages{}).check})
			env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalApproval, Approval{Granted: true}) }, after)
			env.ExecuteWorkflow(Open, ada)
			outcome, unwound := saga.Unwound(env.GetWorkflowError())
			if name == "in time" {
				if unwound {
					t.Errorf("unwound: %s", outcome.Cause)
				}
				b.check(t, 0, 0)
				return
			}
			if !unwound || outcome.Cause.Kind != saga.TimedOut {
				t.Errorf("%+v, %t: want a timeout", outcome, unwound)
			}
			b.check(t, 1, 1)
		})
	}
}
