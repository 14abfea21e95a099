package saga

import (
	"errors"
	"fmt"
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
)

// TroubleCounter is the metric that counts how often a saga needed attention, by step.
const TroubleCounter = "saga_needs_attention"

// Trouble is what keeps a saga from going on.
type Trouble struct {
	Step  string
	Since time.Time // workflow time at which patience ran out
	Err   error     // of the last attempt that the workflow knows of
}

// needsAttention says aloud that the step stays broken. The saga goes on trying.
func (r *run) needsAttention(ctx workflow.Context, s scope, err error) {
	if r.trouble == nil {
		r.trouble = &Trouble{Step: s.name, Since: workflow.Now(ctx)}
		r.journal = append(r.journal,
			Entry{Step: s.name, Kind: InTrouble, At: workflow.Now(ctx), Detail: rootMessage(err)})
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"step": s.name}).Counter(TroubleCounter).Inc(1)
		r.attributes(ctx, AttributeStatus.ValueSet(StatusNeedsAttention), AttributeStep.ValueSet(s.name),
			AttributeError.ValueSet(rootType(err)))
	}
	r.trouble.Err = err
	workflow.SetCurrentDetails(ctx, r.trouble.markdown(s))
	workflow.GetLogger(ctx).Error("saga needs attention", "step", s.name, "error", rootMessage(err))
}

// heal takes back what needsAttention said.
func (r *run) heal(ctx workflow.Context, s scope) {
	if r.trouble == nil {
		return
	}
	r.trouble = nil
	r.journal = append(r.journal, Entry{Step: s.name, Kind: OutTrouble, At: workflow.Now(ctx)})
	r.attributes(ctx, AttributeStatus.ValueSet(StatusHealed), AttributeError.ValueUnset())
	workflow.SetCurrentDetails(ctx, "")
	workflow.GetLogger(ctx).Info("saga goes on", "step", s.name)
}

func (r *run) attributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err.Error())
	}
}

func (t *Trouble) markdown(s scope) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### This saga needs attention\n\n")
	fmt.Fprintf(&b, "**%s** stays broken since before %s: `%s`\n\n", t.Step, t.Since.UTC().Format(time.RFC3339), rootMessage(t.Err))
	fmt.Fprintf(&b, "It is tried again every minute and goes on by itself once the cause is gone. Pending activities show the attempts.\n\n")
	if s.forward {
		fmt.Fprintf(&b, "To give up: cancel the workflow. Unless the pivot has happened, everything done so far is undone.\n")
	} else {
		fmt.Fprintf(&b, "This step cannot be left out. Do not terminate the workflow: bring back what the step needs.\n")
	}
	return b.String()
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
