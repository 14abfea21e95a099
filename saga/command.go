package saga

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"
)

// The signals that an operator may send to a saga, each with a [Command] as its only argument. They are signals, and not
// updates, so that the Web UI, the temporal command, batch jobs and tctl can all send them.
const (
	// SignalRetry tries what is broken again, now.
	SignalRetry = "retry"
	// SignalCompensate gives up before the pivot: the saga turns to its fence, which decides.
	SignalCompensate = "compensate"
	// SignalSkip skips an undo or a retriable step that cannot succeed. The operator must then do by hand what it would
	// have done.
	SignalSkip = "skip"
)

// Command is what an operator sends with a signal.
type Command struct {
	Operator string `json:"operator"` // who; required
	Reason   string `json:"reason"`   // why; required
	// Step names the step or undo. It may be empty when the saga waits for only one.
	Step string `json:"step,omitempty"`
}

func (c Command) String() string { return fmt.Sprintf("%s: %s", c.Operator, c.Reason) }

// maxCommandText bounds Operator and Reason, in bytes each.
const maxCommandText = 500

func (c Command) validate() error {
	switch {
	case c.Operator == "" || c.Reason == "":
		return errors.New(`it needs an "operator" and a "reason"`)
	case len(c.Operator) > maxCommandText || len(c.Reason) > maxCommandText:
		return fmt.Errorf("operator and reason may have %d bytes each", maxCommandText)
	}
	return nil
}

// Errors with which a wait ends when an operator says so.
var (
	errRetry   = errors.New("retried by an operator")
	errGivenUp = errors.New("given up by an operator")
	errSkipped = errors.New("skipped by an operator")
)

// waiter is a step or undo that the saga waits for, as a regular activity.
type waiter struct {
	scope scope
	wake  workflow.Settable // ends the wait with one of the errors above
}

// listen receives operators' signals for as long as the saga runs.
func (r *run) listen(ctx workflow.Context) {
	for _, name := range []string{SignalRetry, SignalCompensate, SignalSkip} {
		signals := workflow.GetSignalChannel(ctx, name)
		workflow.GoNamed(ctx, "signal "+name, func(ctx workflow.Context) {
			for {
				var in received
				signals.Receive(ctx, &in)
				r.obey(ctx, name, in)
			}
		})
	}
	r.reportUnknownSignals(ctx)
}

// reportUnknownSignals tells the sender of a signal with another name that the saga does not know it, once for each name.
// It leaves the signals where they are: they may be meant for the workflow around the saga.
func (r *run) reportUnknownSignals(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	var reported []string
	unknown := func() []string {
		return slices.DeleteFunc(workflow.GetUnhandledSignalNames(ctx), func(name string) bool {
			return slices.Contains(reported, name) || name == SignalRetry || name == SignalCompensate || name == SignalSkip
		})
	}
	workflow.GoNamed(ctx, "other signals", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return len(unknown()) > 0 }) == nil {
			names := unknown()
			slices.Sort(names)
			reported = append(reported, names...)
			r.reply = fmt.Sprintf("The signal %.100q changed nothing: a saga knows %s, %s and %s.",
				names[len(names)-1], SignalRetry, SignalCompensate, SignalSkip)
			workflow.GetLogger(ctx).Warn("signals that a saga does not know", "signals", names)
			r.show(ctx)
		}
	})
}

// received is what came with a signal. It decodes from any JSON, so that the saga can tell the sender what is wrong; the
// SDK only logs what it cannot decode.
type received struct {
	Command
	err error
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (in *received) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a misspelt step would mean every step
	if err := decoder.Decode(&in.Command); err != nil {
		in.err = fmt.Errorf(`want an object with "operator", "reason" and maybe "step": %w`, err)
	}
	return nil
}

// obey carries out an operator's command, or says why not. A signal that makes no sense changes nothing.
func (r *run) obey(ctx workflow.Context, signal string, in received) {
	c, err := in.Command, in.err
	if err == nil {
		err = c.validate()
	}
	if err == nil {
		switch signal {
		case SignalRetry:
			err = r.wakeUp(c, errRetry, func(scope) bool { return true })
		case SignalSkip:
			err = r.wakeUp(c, errSkipped, func(s scope) bool { return s.skippable })
		case SignalCompensate:
			err = r.giveUp(c)
		}
	}
	if err != nil {
		r.reply = fmt.Sprintf("The signal %s changed nothing: %s.", signal, err)
		workflow.GetLogger(ctx).Warn("command rejected", "signal", signal, "operator", c.Operator, "why", err.Error())
	} else {
		r.reply = fmt.Sprintf("Last signal: %s, by %s.", signal, c)
		r.note(ctx, c.Step, EntryCommand, signal+" by "+c.String())
		workflow.GetLogger(ctx).Info("command carried out", "signal", signal, "operator", c.Operator, "reason", c.Reason)
	}
	r.show(ctx)
}

// wakeUp ends the waits that the command means and that may be ended in this way.
func (r *run) wakeUp(c Command, with error, may func(scope) bool) error {
	var meant []*waiter
	for _, w := range r.waiting {
		if may(w.scope) && (c.Step == "" || c.Step == w.scope.name) {
			meant = append(meant, w)
		}
	}
	switch {
	case len(meant) == 0 && c.Step != "":
		return fmt.Errorf("the saga does not wait for %s, or the signal does not apply to it", c.Step)
	case len(meant) == 0:
		return errors.New("the saga waits for nothing that the signal applies to")
	case len(meant) > 1 && errors.Is(with, errSkipped):
		return errors.New("the saga waits for more than one step: name the step")
	}
	for _, w := range meant {
		w.end(r, with)
	}
	return nil
}

func (r *run) giveUp(c Command) error {
	if r.fenced {
		return ErrStop
	}
	r.given = &c
	for _, w := range slices.Clone(r.waiting) {
		w.end(r, errGivenUp)
	}
	return nil
}

// end wakes the waiter up, once.
func (w *waiter) end(r *run, with error) {
	r.stopWaiting(w)
	w.wake.SetError(with)
}

// wait registers that the saga waits for the scope. The future ends with what an operator says; done takes it back.
func (r *run) wait(ctx workflow.Context, s scope) (told workflow.Future, done func()) {
	told, wake := workflow.NewFuture(ctx)
	w := &waiter{scope: s, wake: wake}
	r.waiting = append(r.waiting, w)
	return told, func() { r.stopWaiting(w) }
}

func (r *run) stopWaiting(w *waiter) {
	r.waiting = slices.DeleteFunc(r.waiting, func(other *waiter) bool { return other == w })
}
