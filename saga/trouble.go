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
	// AttributeStep names the step that is, or was last, in trouble.
	AttributeStep = temporal.NewSearchAttributeKeyKeyword("SagaStep")
	// AttributeError holds the type of the error that keeps the saga in trouble.
	AttributeError = temporal.NewSearchAttributeKeyKeyword("SagaError")
)

// The values of AttributeStatus.
const (
	StatusNeedsAttention = "NEEDS_ATTENTION" // a step or undo stays broken; it is still being tried
	StatusHealed         = "HEALED"          // it was in trouble and goes on by itself
	StatusGivenUp        = "GIVEN_UP"        // it was in trouble, and what was broken was given up or left out
)

// TroubleCounter is the metric that counts how often a saga needed attention, by step; it goes to the metrics handler of
// the Temporal client, if that has one.
const TroubleCounter = "saga_needs_attention"

// Trouble is what keeps a saga from going on.
type Trouble struct {
	Step  string
	Since time.Time // workflow time at which patience ran out
	Err   error     // of the last attempt that the workflow knows of
	// CanGiveUp reports whether the saga can still be undone: the step is before the pivot.
	CanGiveUp bool
	// CanSkip reports whether an operator may leave the step out.
	CanSkip bool
}

// trouble is a Trouble with when its alarm was last raised.
type trouble struct {
	Trouble
	alarmed time.Time
}

// Message is what went wrong, without the layers around it.
func (t Trouble) Message() string { return rootMessage(t.Err) }

// Advice says what an operator can do, in Markdown.
func (t Trouble) Advice() string {
	var b strings.Builder
	b.WriteString("It goes on by itself once the cause is gone. Do not terminate the workflow. An operator can send a signal:\n\n")
	b.WriteString("* `retry`: try again now\n")
	if t.CanGiveUp {
		b.WriteString("* `compensate`: give up; what was done is undone, unless the pivot has happened\n")
	}
	if t.CanSkip {
		b.WriteString("* `skip`: leave it out; what it would have done is then to be done by hand\n")
	}
	b.WriteString(fmt.Sprintf("\nwith the input `{\"operator\": \"you\", \"reason\": \"why\", \"step\": \"%s\"}`.\n", t.Step))
	return b.String()
}

// needsAttention says aloud that the step stays broken. The saga goes on trying.
func (r *run) needsAttention(ctx workflow.Context, s scope, err error) {
	workflow.GetLogger(ctx).Error("saga needs attention", "step", s.name, "error", rootMessage(err))
	i := r.troubleOf(s.name)
	if i < 0 {
		i = len(r.troubles)
		r.troubles = append(r.troubles, trouble{Trouble: Trouble{
			Step: s.name, Since: workflow.Now(ctx), CanGiveUp: s.forward, CanSkip: s.skippable,
		}})
		r.timeline = append(r.timeline,
			Entry{Step: s.name, Kind: NeededAttention, At: workflow.Now(ctx), Detail: rootMessage(err)})
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"step": s.name}).Counter(TroubleCounter).Inc(1)
		r.attributes(ctx, AttributeStatus.ValueSet(StatusNeedsAttention), AttributeStep.ValueSet(s.name),
			AttributeError.ValueSet(rootType(err)))
	}
	t := &r.troubles[i]
	t.Err = err
	r.show(ctx)
	if t.alarmed.IsZero() || workflow.Now(ctx).Sub(t.alarmed) >= troubledWindow {
		t.alarmed = workflow.Now(ctx)
		r.raiseAlarm(ctx, t.Trouble)
	}
}

// raiseAlarm tells whoever asked to be told. A coroutine of its own keeps the saga from waiting for it.
func (r *run) raiseAlarm(ctx workflow.Context, t Trouble) {
	if r.options.OnTrouble == nil {
		return
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) { r.options.OnTrouble(ctx, t) })
}

// leaveTrouble takes back what needsAttention said, once the step is settled: err is nil when it healed.
func (r *run) leaveTrouble(ctx workflow.Context, s scope, err error) {
	i := r.troubleOf(s.name)
	if i < 0 {
		return
	}
	status := StatusHealed
	if err != nil && !IsRefused(err) {
		status = StatusGivenUp
	}
	r.troubles = slices.Delete(r.troubles, i, i+1)
	r.timeline = append(r.timeline, Entry{Step: s.name, Kind: Healed, At: workflow.Now(ctx)})
	if len(r.troubles) == 0 {
		r.attributes(ctx, AttributeStatus.ValueSet(status), AttributeError.ValueUnset())
	}
	workflow.GetLogger(ctx).Info("saga is out of trouble", "step", s.name, "status", status)
	r.show(ctx)
}

// troubleOf returns the index of the step's trouble, or -1.
func (r *run) troubleOf(step string) int {
	return slices.IndexFunc(r.troubles, func(t trouble) bool { return t.Step == step })
}

func (r *run) inTrouble(step string) bool { return r.troubleOf(step) >= 0 }

func (r *run) attributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err.Error())
	}
}

// show writes the current details, which the Web UI shows on the workflow's page.
func (r *run) show(ctx workflow.Context) {
	var b strings.Builder
	if len(r.troubles) > 0 {
		b.WriteString("### This saga needs attention\n\n")
	}
	for _, t := range r.troubles {
		b.WriteString(fmt.Sprintf("**%s** stays broken since before %s: `%s`\n\n",
			t.Step, t.Since.UTC().Format(time.RFC3339), t.Message()))
		b.WriteString("It is tried again every minute; pending activities show the attempts. " + t.Advice() + "\n")
	}
	b.WriteString(r.reply)
	workflow.SetCurrentDetails(ctx, b.String())
}

// serverGaveUp reports whether the server retried the activity until its window was over. Other failures come back at
// once, as when no worker knows the activity.
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

// rootType is the type of the innermost application error, or of a time-out.
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
