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
// updates, so that the Web UI, the temporal command, batch jobs and tctl can all send them. [Options] SignalPrefix comes
// before the names.
const (
	// SignalRetry tries what is broken again, now.
	SignalRetry = "retry"
	// SignalCompensate gives up before the pivot: the saga turns to its fence, which decides.
	SignalCompensate = "compensate"
	// SignalSkip skips an undo, a retriable step or an optional step that cannot succeed. The operator must then do by hand
	// what it would have done.
	SignalSkip = "skip"
)

var signalNames = []string{SignalRetry, SignalCompensate, SignalSkip}

// Command is what an operator sends with a signal.
type Command struct {
	Operator string `json:"operator"` // who; required
	Reason   string `json:"reason"`   // why; required
	// Saga names the saga, by its plan. It may be empty when the workflow has only one, or when Step says enough.
	Saga string `json:"saga,omitempty"`
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

// listen receives operators' signals for as long as a saga with the prefix is alive.
func (h *host) listen(ctx workflow.Context, options Options) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	prefix := options.SignalPrefix
	if !h.listening[prefix] {
		h.listening[prefix] = true
		for _, name := range signalNames {
			signals := workflow.GetSignalChannel(ctx, prefix+name)
			workflow.GoNamed(ctx, "signal "+prefix+name, func(ctx workflow.Context) {
				for h.alive(prefix) {
					var in received
					if signals.ReceiveAsync(&in) {
						h.obey(ctx, prefix, name, in)
						continue
					}
					_ = workflow.Await(ctx, func() bool { return signals.Len() > 0 || !h.alive(prefix) })
				}
				h.listening[prefix] = false
			})
		}
	}
	if options.ReportUnknownSignals && !h.reporting {
		h.reporting = true
		h.reportUnknownSignals(ctx, prefix)
	}
}

// reportUnknownSignals tells the sender of a signal with another name that the saga does not know it, once for each name.
func (h *host) reportUnknownSignals(ctx workflow.Context, prefix string) {
	var reported []string
	unknown := func() []string {
		return slices.DeleteFunc(workflow.GetUnhandledSignalNames(ctx), func(name string) bool {
			return slices.Contains(reported, name) || slices.ContainsFunc(signalNames, func(s string) bool { return prefix+s == name })
		})
	}
	workflow.GoNamed(ctx, "other signals", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return len(unknown()) > 0 }) == nil {
			names := unknown()
			slices.Sort(names)
			reported = append(reported, names...)
			h.reply = fmt.Sprintf("The signal %.100q changed nothing: a saga knows %s, %s and %s.",
				names[len(names)-1], prefix+SignalRetry, prefix+SignalCompensate, prefix+SignalSkip)
			workflow.GetLogger(ctx).Warn("signals that a saga does not know", "signals", names)
			h.show(ctx)
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
		in.err = fmt.Errorf(`want an object with "operator", "reason" and maybe "saga" and "step": %w`, err)
	}
	return nil
}

// obey carries out an operator's command, or says why not. A signal that makes no sense changes nothing.
func (h *host) obey(ctx workflow.Context, prefix, signal string, in received) {
	c, err := in.Command, in.err
	if err == nil {
		err = c.validate()
	}
	var meant []*run
	if err == nil {
		meant, err = h.meant(prefix, c)
	}
	if err == nil {
		switch signal {
		case SignalRetry:
			meant, err = h.wakeUp(meant, c, errRetry, func(w *waiter) bool { return w.retriable })
		case SignalSkip:
			meant, err = h.wakeUp(meant, c, errSkipped, func(w *waiter) bool { return w.scope.skippable })
		case SignalCompensate:
			meant, err = giveUp(meant, c)
		}
	}
	if err != nil {
		h.reply = fmt.Sprintf("The signal %s changed nothing: %s.", prefix+signal, err)
		workflow.GetLogger(ctx).Warn("command rejected", "signal", signal, "operator", c.Operator, "why", err.Error())
	} else {
		h.reply = fmt.Sprintf("Last signal: %s, by %s.", prefix+signal, c)
		for _, r := range meant {
			r.note(ctx, c.Step, EntryCommand, signal+" by "+c.String())
		}
		workflow.GetLogger(ctx).Info("command carried out", "signal", signal, "operator", c.Operator, "reason", c.Reason)
	}
	h.show(ctx)
}

// meant are the sagas that the command may be about: those it names, or that have the step that it names.
func (h *host) meant(prefix string, c Command) ([]*run, error) {
	var meant []*run
	named := false
	for _, r := range h.runs {
		if r.options.SignalPrefix != prefix || c.Saga != "" && c.Saga != r.plan.name() {
			continue
		}
		named = true
		if c.Step == "" || r.plan.has(c.Step) {
			meant = append(meant, r)
		}
	}
	switch {
	case !named:
		return nil, fmt.Errorf("no saga is named %.100q", c.Saga)
	case len(meant) == 0:
		return nil, fmt.Errorf("no step or undo is named %.100q", c.Step)
	}
	return meant, nil
}

// has reports whether the plan has a step or an undo of the name.
func (p Plan) has(name string) bool {
	found := p.Pivot.Name == name || p.Finish.Name == name || p.Fence != nil && name == FenceName
	each(slices.Concat(p.Steps, p.Retriable), func(s Step) {
		found = found || s.Name == name || s.Undo != nil && s.Undo.Name == name
	})
	return found || slices.ContainsFunc(p.Retired, func(u *Undo) bool { return u.Name == name })
}

// wakeUp ends the waits of the sagas that the command means and that may be ended in this way. It returns their sagas.
func (h *host) wakeUp(sagas []*run, c Command, with error, may func(*waiter) bool) ([]*run, error) {
	var meant []*waiter
	var owners []*run
	for _, w := range h.waiting {
		if may(w) && slices.Contains(sagas, w.scope.run) && (c.Step == "" || c.Step == w.scope.name) {
			meant = append(meant, w)
			if !slices.Contains(owners, w.scope.run) {
				owners = append(owners, w.scope.run)
			}
		}
	}
	steps := slices.CompactFunc(slices.Clone(meant), func(a, b *waiter) bool {
		return a.scope.run == b.scope.run && a.scope.name == b.scope.name
	})
	switch {
	case len(meant) == 0 && c.Step != "":
		return nil, fmt.Errorf("the saga does not wait for %s, or the signal does not apply to it", c.Step)
	case len(meant) == 0:
		return nil, errors.New("the saga waits for nothing that the signal applies to")
	case len(steps) > 1 && errors.Is(with, errSkipped):
		return nil, errors.New("the saga waits for more than one step: name the step")
	}
	for _, w := range meant {
		w.told = with
	}
	return owners, nil
}

// giveUp gives up the saga that the command means: the one that is at the step, or else the outermost one.
func giveUp(sagas []*run, c Command) ([]*run, error) {
	var open []*run
	for _, r := range sagas {
		inside := slices.ContainsFunc(sagas, func(other *run) bool { return r.outer() == other && !other.fenced })
		if !r.fenced && (c.Step == "" && !inside || r.active[c.Step] > 0) {
			open = append(open, r)
		}
	}
	switch {
	case len(open) > 1:
		return nil, errors.New("the workflow has more than one saga that can be given up: name the saga")
	case len(open) == 1:
		open[0].given = &c
		return open, nil
	case c.Step != "" && slices.ContainsFunc(sagas, func(r *run) bool { return !r.fenced }):
		return nil, fmt.Errorf("the saga is not at %s", c.Step)
	default:
		return nil, ErrStop
	}
}
