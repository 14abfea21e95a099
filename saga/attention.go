package saga

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Search attributes that a saga sets once it leaves the fast path; all are keywords and must be registered with the
// namespace. An undisturbed saga sets none.
var (
	// AttributeStatus holds one of the Status values.
	AttributeStatus = temporal.NewSearchAttributeKeyKeyword("SagaStatus")
	// AttributeStep names the step that needs, or was the last to need, attention.
	AttributeStep = temporal.NewSearchAttributeKeyKeyword("SagaStep")
	// AttributeError holds the type of the error that keeps the step broken.
	AttributeError = temporal.NewSearchAttributeKeyKeyword("SagaError")
)

// The values of AttributeStatus.
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
	Step  string
	Since time.Time // workflow time at which patience ran out
	Err   error     // of the last attempt that the workflow knows of
	// CanGiveUp reports whether the saga can still be undone: the step is before the pivot.
	CanGiveUp bool
	// CanSkip reports whether an operator may skip the step.
	CanSkip bool
}

// brokenStep is a step that needs attention.
type brokenStep struct {
	Attention
	alerted time.Time // when operators were last told
}

// Message is what went wrong, without the layers around it.
func (a Attention) Message() string { return rootMessage(a.Err) }

// Advice says what an operator can do, in Markdown.
func (a Attention) Advice() string {
	var b strings.Builder
	b.WriteString("It goes on by itself once the cause is gone. Do not terminate the workflow. An operator can send a signal:\n\n")
	b.WriteString("* `retry`: try again now\n")
	if a.CanGiveUp {
		b.WriteString("* `compensate`: give up; what was done is undone, unless the pivot has happened\n")
	}
	if a.CanSkip {
		b.WriteString("* `skip`: leave it out; what it would have done must then be done by hand\n")
	}
	b.WriteString(fmt.Sprintf("\nwith the input `{\"operator\": \"you\", \"reason\": \"why\", \"step\": \"%s\"}`.\n", a.Step))
	return b.String()
}

// callAttention tells operators that the step stays broken with err. The saga goes on trying.
func (r *run) callAttention(ctx workflow.Context, s scope, err error) {
	workflow.GetLogger(ctx).Error("saga needs attention", "step", s.name, "error", rootMessage(err))
	i := r.brokenIndex(s.name)
	if i < 0 {
		i = len(r.broken)
		r.broken = append(r.broken, brokenStep{Attention: Attention{
			Step: s.name, Since: workflow.Now(ctx), CanGiveUp: s.forward, CanSkip: s.skippable,
		}})
		r.note(ctx, s.name, EntryNeedsAttention, rootMessage(err))
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"step": s.name}).Counter(AttentionCounter).Inc(1)
		r.attributes(ctx, AttributeStatus.ValueSet(StatusNeedsAttention), AttributeStep.ValueSet(s.name),
			AttributeError.ValueSet(rootType(err)))
	}
	b := &r.broken[i]
	b.Err = err
	r.show(ctx)
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
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) { r.options.OnAttention(ctx, a) })
}

// endAttention takes back what callAttention said, once the step is settled. A step that succeeded, or was refused, has
// healed. Any other err means that it was given up.
func (r *run) endAttention(ctx workflow.Context, s scope, err error) {
	i := r.brokenIndex(s.name)
	if i < 0 {
		return
	}
	status, kind := StatusHealed, EntryHealed
	if err != nil && !IsRefused(err) {
		status, kind = StatusGivenUp, EntryGivenUp
	}
	r.broken = slices.Delete(r.broken, i, i+1)
	r.note(ctx, s.name, kind, "")
	if len(r.broken) == 0 {
		r.attributes(ctx, AttributeStatus.ValueSet(status), AttributeError.ValueUnset())
	}
	workflow.GetLogger(ctx).Info("saga no longer needs attention", "step", s.name, "status", status)
	r.show(ctx)
}

// brokenIndex returns the index of the step among those that need attention, or -1.
func (r *run) brokenIndex(step string) int {
	return slices.IndexFunc(r.broken, func(b brokenStep) bool { return b.Step == step })
}

func (r *run) needsAttention(step string) bool { return r.brokenIndex(step) >= 0 }

func (r *run) attributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err.Error())
	}
}

// show writes the current details, which the Web UI shows on the workflow's page.
func (r *run) show(ctx workflow.Context) {
	var b strings.Builder
	if len(r.broken) > 0 {
		b.WriteString("### This saga needs attention\n\n")
	}
	for _, s := range r.broken {
		b.WriteString(fmt.Sprintf("**%s** stays broken. It first failed before %s: `%s`\n\n",
			s.Step, s.Since.UTC().Format(time.RFC3339), s.Message()))
		b.WriteString("It is tried again every minute; pending activities show the attempts. " + s.Advice() + "\n")
	}
	b.WriteString(r.reply)
	workflow.SetCurrentDetails(ctx, b.String())
}

// serverGaveUp reports whether the server retried the activity until its window was over. Other failures return at once,
// for example when no worker knows the activity.
func serverGaveUp(err error) bool {
	var activity *temporal.ActivityError
	return temporal.IsTimeoutError(err) ||
		errors.As(err, &activity) && activity.RetryState() == enumspb.RETRY_STATE_TIMEOUT
}

// rootMessage is the text of the innermost error: what went wrong, without the layers around it.
func rootMessage(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	return err.Error()
}

// rootType is the type of the innermost application error, or of a timeout.
func rootType(err error) string {
	var app *temporal.ApplicationError
	switch {
	case errors.As(err, &app) && app.Type() != "":
		return app.Type()
	case temporal.IsTimeoutError(err):
		return "Timeout"
	default:
		return "Unknown"
	}
}
