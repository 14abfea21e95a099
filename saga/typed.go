package saga

import (
	"context"

	"go.temporal.io/sdk/workflow"
)

// Undoing is what an undo knows about its step.
type Undoing[I, O any] struct {
	// Key is the step's idempotency key: the same in every attempt, and every run, of the step and its undo.
	Key   string `json:"key"`
	Input I      `json:"input"`
	// Result is the step's result, if Known. Otherwise the step may have happened all the same: its response was lost, or the
	// workflow task that knew it.
	Result O     `json:"result"`
	Known  bool  `json:"known"`
	Cause  Cause `json:"cause"` // why the saga unwinds
}

// known is what a saga knows of a step.
type known struct {
	result any
	done   bool
}

// Pair returns a step that calls the activity do, and an undo that calls the activity undo and tells it what is known of the
// step. The undo is named Undo and the step's name. input may read the results of earlier steps with [Result]; it is called
// again for the undo, which may have to run without the results, so it returns no error. For an input that is known
// beforehand, see [Value].
func Pair[I, O any](
	name string, input func(workflow.Context) I,
	do func(context.Context, I) (O, error), undo func(context.Context, Undoing[I, O]) error,
) Step {
	return Step{
		Name: name,
		Do: func(ctx workflow.Context) error {
			out, err := Execute(ctx, do, input(ctx))
			if err == nil {
				currentScope(ctx).run.known[name] = known{result: out, done: true}
			}
			return err
		},
		Undo: &Undo{Name: "Undo" + name, Do: func(ctx workflow.Context) error {
			in := Undoing[I, O]{Input: input(ctx), Key: Key(ctx)}
			in.Result, in.Known = Result[O](ctx, name)
			if c := CurrentCause(ctx); c != nil {
				in.Cause = *c
			}
			return Do(ctx, undo, in)
		}},
	}
}

// Value returns the input of a [Pair] that is known beforehand.
func Value[I any](in I) func(workflow.Context) I { return func(workflow.Context) I { return in } }

// Result returns the result of a step that is a [Pair], or of a step that [Options] Results has. It reports whether the saga
// knows it.
func Result[O any](ctx workflow.Context, step string) (O, bool) {
	k := currentScope(ctx).run.known[step]
	out, ok := k.result.(O)
	return out, ok && k.done
}

// CurrentCause returns why the saga that ctx belongs to turned to its fence, or nil when it did not.
func CurrentCause(ctx workflow.Context) *Cause { return currentScope(ctx).run.cause }

// Key returns the idempotency key of the step that ctx belongs to, or that is being undone: the same in every attempt, and
// every run, of the step and its undo. An undo that several steps share has the key of the first of them.
func Key(ctx workflow.Context) string {
	s := currentScope(ctx)
	if len(s.undoes) > 0 {
		return s.run.key(s.undoes[0])
	}
	return s.run.key(s.name)
}

func (r *run) key(step string) string { return r.options.Key + "/" + r.plan.name() + "/" + step }
