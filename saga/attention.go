package saga

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"
)

// The values of the search attribute [Attributes] Status.
const (
	StatusNeedsAttention = "NEEDS_ATTENTION" // a step or undo stays broken; it is still being tried
	StatusHealed         = "HEALED"          // it needed attention and goes on by itself
	StatusGivenUp        = "GIVEN_UP"        // it needed attention, and what was broken was given up or skipped
)

// AttentionCounter is the metric that counts how often a saga needed attention, by step. It goes to the metrics handler of
// the Temporal client, if that has one.
const AttentionCounter = "saga_needs_attention"

// Attention says which step of a saga needs it, and why.
type Attention struct {
	Saga  string // the plan's name
	Step  string
	Since time.Time // workflow time at which patience ran out
	Err   error     // of the last attempt that the workflow knows of
	// CanRetry reports whether an operator can have it tried again at once. A mere wait cannot be.
	CanRetry bool
	// CanGiveUp reports whether the saga can still be undone: the step is before the pivot.
	CanGiveUp bool
	// CanSkip reports whether an operator may skip the step.
	CanSkip bool

	prefix string // of signals
}

// brokenStep is a call of a step that needs attention. A step may have several calls at the same time.
type brokenStep struct {
	Attention
	run     *run
	call    *call
	alerted time.Time     // when operators were last told
	every   time.Duration // how soon it is tried again; 0: it only waits
}

// Message is what went wrong, without the layers around it.
func (a Attention) Message() string { return rootMessage(a.Err) }

// Advice says what an operator can do, in Markdown.
func (a Attention) Advice() string {
	var b strings.Builder
	b.WriteString("It goes on by itself once the cause is gone. Do not terminate the workflow. An operator can send a signal:\n\n")
	if a.CanRetry {
		b.WriteString(fmt.Sprintf("* `%s`: try again now\n", a.prefix+SignalRetry))
	}
	if a.CanGiveUp {
		b.WriteString(fmt.Sprintf("* `%s`: give up; what was done is undone, unless the pivot has happened\n", a.prefix+SignalCompensate))
	}
	if a.CanSkip {
		b.WriteString(fmt.Sprintf("* `%s`: leave it out; what it would have done must then be done by hand\n", a.prefix+SignalSkip))
	}
	b.WriteString(fmt.Sprintf("\nwith the input `{\"operator\": \"you\", \"reason\": \"why\", \"step\": \"%s\"}`.\n", a.Step))
	return b.String()
}

// write describes the broken step in Markdown.
func (s brokenStep) write(b *strings.Builder) {
	// Not fmt.Fprintf, which workflowcheck takes for non-deterministic.
	b.WriteString(fmt.Sprintf("**%s** stays broken. It first failed before %s: `%s`\n\n",
		s.Step, s.Since.UTC().Format(time.RFC3339), s.Message()))
	if s.every > 0 {
		b.WriteString(fmt.Sprintf("It is tried again in %s; pending activities show the attempts. ", s.every))
	}
	b.WriteString(s.Advice() + "\n")
}

// callAttention tells operators that the call stays broken with err. The saga goes on trying, after the pause.
func (r *run) callAttention(ctx workflow.Context, s scope, c *call, err error, pause time.Duration) {
	workflow.GetLogger(ctx).Error("saga needs attention", "step", s.name, "error", rootMessage(err))
	i := r.brokenIndex(c)
	if i < 0 {
		i = len(r.host.broken)
		first := !r.needsAttention(s.name)
		r.host.broken = append(r.host.broken, brokenStep{run: r, call: c, Attention: Attention{
			Saga: r.plan.name(), Step: s.name, Since: workflow.Now(ctx),
			CanRetry: pause > 0, CanGiveUp: s.interruptible, CanSkip: s.skippable, prefix: r.options.SignalPrefix,
		}})
		if first {
			r.note(ctx, s.name, EntryNeedsAttention, rootMessage(err))
			workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"step": s.name}).Counter(AttentionCounter).Inc(1)
		}
		r.options.Attributes.needsAttention(ctx, s.name, rootType(err))
	}
	b := &r.host.broken[i]
	b.Err, b.every = err, pause
	r.host.show(ctx)
	// Alerts repeat for as long as the step stays broken, since one may get lost.
	if b.alerted.IsZero() || workflow.Now(ctx).Sub(b.alerted) >= attentionWindow {
		b.alerted = workflow.Now(ctx)
		r.alert(ctx, b.Attention)
	}
}

// alert calls OnAttention, if the plan's owner wants to be told, in a coroutine of its own: the saga does not wait for it.
func (r *run) alert(ctx workflow.Context, a Attention) {
	if r.options.OnAttention == nil {
		return
	}
	beside := r.scope("alert", tuning{}, 0)
	beside.summary, beside.detached, beside.visit = "alert operators", true, &visit{}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx = workflow.WithActivityOptions(workflow.WithValue(ctx, scopeKey{}, beside), workflow.ActivityOptions{})
	workflow.Go(ctx, func(ctx workflow.Context) { r.options.OnAttention(ctx, a) })
}

// endAttention takes back what callAttention said, once the call is settled. A call that succeeded, or was refused, has
// healed. Any other err means that it was given up.
func (r *run) endAttention(ctx workflow.Context, s scope, c *call, err error) {
	i := r.brokenIndex(c)
	if i < 0 {
		return
	}
	status, kind := StatusHealed, EntryHealed
	if err != nil && !isRefusal(err) {
		status, kind = StatusGivenUp, EntryGivenUp
	}
	r.host.broken = slices.Delete(r.host.broken, i, i+1)
	if !r.needsAttention(s.name) {
		r.note(ctx, s.name, kind, "")
	}
	if len(r.host.broken) == 0 {
		r.options.Attributes.settled(ctx, status)
	}
	workflow.GetLogger(ctx).Info("saga no longer needs attention", "step", s.name, "status", status)
	r.host.show(ctx)
}

// brokenIndex returns the index of the call among those that need attention, or -1.
func (r *run) brokenIndex(c *call) int {
	return slices.IndexFunc(r.host.broken, func(b brokenStep) bool { return b.call == c })
}

// needsAttention reports whether a call of the saga's step needs attention.
func (r *run) needsAttention(step string) bool {
	return slices.ContainsFunc(r.host.broken, func(b brokenStep) bool { return b.run == r && b.Step == step })
}
