package saga

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"
)

// The signals that an operator may send to a saga, each with an [Command] as its only argument. They are signals, and not
// updates, so that the Web UI, the temporal command, batch jobs and tctl can all send them.
const (
	// SignalRetry tries what is broken again, now.
	SignalRetry = "retry"
	// SignalCompensate gives up before the pivot: the saga turns to its fence, which decides.
	SignalCompensate = "compensate"
	// SignalSkip leaves out an undo, or a step after the end, that cannot succeed. What it would have done is then the
	// operator's to do by hand.
	SignalSkip = "skip"
)

// Order is what an operator says with a signal.
type Command struct {
	Operator string `json:"operator"` // who; required
	Reason   string `json:"reason"`   // why; required
	// Step names the step or undo that is meant. It may be left out when only one is being waited for.
	Step string `json:"step,omitempty"`
}

func (o Command) String() string { return fmt.Sprintf("%s: %s", o.Operator, o.Reason) }

// maxCommandText bounds Operator and Reason, in bytes each.
const maxCommandText = 500

func (o Command) validate() error {
	switch {
	case o.Operator == "" || o.Reason == "":
		return errors.New(`it needs an "operator" and a "reason"`)
	case len(o.Operator) > maxCommandText || len(o.Reason) > maxCommandText:
		return fmt.Errorf("operator and reason may have %d bytes each", maxCommandText)
	}
	return nil
}

// Errors with which a wait ends when an operator says so.
var (
	errRetry   = errors.New("retried by an operator")
	errGivenUp = errors.New("given up by an operator")
	errSkipped = errors.New("left out by an operator")
)

// waiter is a step or undo that is being waited for as a regular activity.
type waiter struct {
	scope scope
	wake  workflow.Settable // ends the wait with one of the errors above
}

// listen takes operators' signals for as long as the saga runs.
func (r *run) listen(ctx workflow.Context) {
	for _, name := range []string{SignalRetry, SignalCompensate, SignalSkip} {
		signals := workflow.GetSignalChannel(ctx, name)
		workflow.GoNamed(ctx, "signal "+name, func(ctx workflow.Context) {
			for {
				var s said
				signals.Receive(ctx, &s)
				r.obey(ctx, name, s)
			}
		})
	}
	r.answerStrangers(ctx)
}

// answerStrangers says of signals with other names that a saga does not know them, once for each name. It leaves them
// where they are: they may be meant for the workflow around the saga.
func (r *run) answerStrangers(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	var answered []string
	strange := func() []string {
		return slices.DeleteFunc(workflow.GetUnhandledSignalNames(ctx), func(name string) bool {
			return slices.Contains(answered, name) || name == SignalRetry || name == SignalCompensate || name == SignalSkip
		})
	}
	workflow.GoNamed(ctx, "other signals", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return len(strange()) > 0 }) == nil {
			names := strange()
			slices.Sort(names)
			answered = append(answered, names...)
			r.reply = fmt.Sprintf("The signal %.100q changed nothing: a saga knows %s, %s and %s.",
				names[len(names)-1], SignalRetry, SignalCompensate, SignalSkip)
			workflow.GetLogger(ctx).Warn("signals that a saga does not know", "signals", names)
			r.show(ctx)
		}
	})
}

// said is what came with a signal. Any JSON will do, so that a signal that cannot be read is answered; the SDK only logs
// what it cannot decode.
type said struct {
	Command
	err error
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (s *said) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a misspelt step would mean every step
	if err := decoder.Decode(&s.Command); err != nil {
		s.err = fmt.Errorf(`want an object with "operator", "reason" and maybe "step": %w`, err)
	}
	return nil
}

// obey does what an operator asks for, or says why not. A signal that makes no sense changes nothing.
func (r *run) obey(ctx workflow.Context, signal string, s said) {
	o, err := s.Command, s.err
	if err == nil {
		err = o.validate()
	}
	if err == nil {
		switch signal {
		case SignalRetry:
			err = r.wakeUp(o, errRetry, func(scope) bool { return true })
		case SignalSkip:
			err = r.wakeUp(o, errSkipped, func(s scope) bool { return s.skippable })
		case SignalCompensate:
			err = r.giveUp(o)
		}
	}
	if err != nil {
		r.reply = fmt.Sprintf("The signal %s changed nothing: %s.", signal, err)
		workflow.GetLogger(ctx).Warn("operator's signal refused", "signal", signal, "operator", o.Operator, "why", err.Error())
	} else {
		r.reply = fmt.Sprintf("Last signal: %s, by %s.", signal, o)
		r.timeline = append(r.timeline, Entry{Step: o.Step, Kind: Obeyed, At: workflow.Now(ctx), Detail: signal + " by " + o.String()})
		workflow.GetLogger(ctx).Info("operator's signal obeyed", "signal", signal, "operator", o.Operator, "reason", o.Reason)
	}
	r.show(ctx)
}

// wakeUp ends the waits that o means, if there are any that may be ended so.
func (r *run) wakeUp(o Command, with error, may func(scope) bool) error {
	var meant []*waiter
	for _, w := range r.waiting {
		if may(w.scope) && (o.Step == "" || o.Step == w.scope.name) {
			meant = append(meant, w)
		}
	}
	switch {
	case len(meant) == 0 && o.Step != "":
		return fmt.Errorf("%s is not being waited for, or cannot be treated so", o.Step)
	case len(meant) == 0:
		return errors.New("nothing is being waited for that could be treated so")
	case len(meant) > 1 && errors.Is(with, errSkipped):
		return errors.New("more than one is being waited for: name the step")
	}
	for _, w := range meant {
		w.end(r, with)
	}
	return nil
}

func (r *run) giveUp(o Command) error {
	if r.fenced {
		return errors.New("the saga's end is already decided")
	}
	r.given = &o
	for _, w := range slices.Clone(r.waiting) {
		w.end(r, errGivenUp)
	}
	return nil
}

// end wakes the waiter up, once.
func (w *waiter) end(r *run, with error) {
	r.waiting = slices.DeleteFunc(r.waiting, func(other *waiter) bool { return other == w })
	w.wake.SetError(with)
}

// wait registers the scope as being waited for. The future ends with what an operator says; done takes it back.
func (r *run) wait(ctx workflow.Context, s scope) (told workflow.Future, done func()) {
	told, wake := workflow.NewFuture(ctx)
	w := &waiter{scope: s, wake: wake}
	r.waiting = append(r.waiting, w)
	return told, func() {
		r.waiting = slices.DeleteFunc(r.waiting, func(other *waiter) bool { return other == w })
	}
}
