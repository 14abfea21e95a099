package saga

import (
	"context"
	"errors"
	"strconv"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
)

// CountAttempts returns a worker interceptor by which sagas learn how often the server has tried their regular
// activities (see [Entry]). An activity is told which attempt it is; the workflow that waits for it is not.
//
// From the second attempt on, the interceptor writes the number into the metadata of the result's payload or, when the
// attempt fails, adds a last detail to the error, such as {"attempt": 3}. Apart from that both are what they were, so
// whoever knows nothing of the number reads them as before: older workers on the same task queue, other workflows, old
// histories. Local activities, and with them the fast path, are left alone.
//
// Errors with details of their own, other than refusals, are left alone as well: nobody could tell theirs from the
// number. Results are converted by Temporal's default data converter; codecs work as ever, but a client that has payload
// converters of its own instead of the default ones must do without the interceptor.
func CountAttempts() interceptor.WorkerInterceptor { return &around{activity: countAttempt} }

func countAttempt(
	ctx context.Context, in *interceptor.ExecuteActivityInput, next interceptor.ActivityInboundInterceptor,
) (any, error) {
	result, err := next.ExecuteActivity(ctx, in)
	info := activity.GetInfo(ctx)
	switch {
	case info.IsLocalActivity || info.Attempt < 2:
		return result, err
	case err != nil:
		return result, failedAt(err, info.Attempt)
	default:
		return succeededAt(result, info.Attempt), nil
	}
}

// attemptKey is the key of the attempt's number in a payload's metadata.
const attemptKey = "saga-attempt"

// succeededAt returns result as a payload that says which attempt it is of.
func succeededAt(result any, attempt int32) any {
	if _, converted := result.(*commonpb.Payloads); converted {
		return result
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(result)
	if err != nil {
		return result // which the worker cannot convert either: it says so better
	}
	return numbered(payload, attempt)
}

func numbered(payload *commonpb.Payload, attempt int32) converter.RawValue {
	payload = proto.CloneOf(payload) // it may be the activity's own
	if payload.Metadata == nil {
		payload.Metadata = map[string][]byte{}
	}
	payload.Metadata[attemptKey] = strconv.AppendInt(nil, int64(attempt), 10)
	return converter.NewRawValue(payload)
}

// failedAt returns the error as the worker would report it, with one more detail that says which attempt it is of.
func failedAt(err error, attempt int32) error {
	if temporal.IsCanceledError(err) || errors.Is(err, context.Canceled) || errors.Is(err, activity.ErrResultPending) {
		return err // these mean something to the worker
	}
	failure := temporal.GetDefaultFailureConverter().ErrorToFailure(err)
	info := failure.GetApplicationFailureInfo()
	if info == nil || failure.GetStackTrace() != "" || failure.GetEncodedAttributes() != nil {
		return err // it could not be rebuilt as it is
	}
	details, known := ownDetails(err, info)
	if !known {
		return err
	}
	number, failed := converter.GetDefaultDataConverter().ToPayload(map[string]int32{"attempt": attempt})
	if failed != nil {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(failure.GetMessage(), info.GetType(), temporal.ApplicationErrorOptions{
		NonRetryable:   info.GetNonRetryable(),
		Category:       temporal.ApplicationErrorCategory(info.GetCategory()),
		NextRetryDelay: info.GetNextRetryDelay().AsDuration(),
		Cause:          errors.Unwrap(err),
		Details:        append(details, numbered(number, attempt)),
	})
}

// ownDetails returns the details of a failed attempt: none, or the one of a refusal. Others are not known.
func ownDetails(err error, info *failurepb.ApplicationFailureInfo) (details []any, known bool) {
	payloads := info.GetDetails().GetPayloads()
	if len(payloads) == 0 {
		return nil, true
	}
	if info.GetType() != refusedType || len(payloads) > 1 {
		return nil, false
	}
	var of any // stays nil when the refusal was made with nil, which could not be read
	if string(payloads[0].GetMetadata()[converter.MetadataEncoding]) != converter.MetadataEncodingNil && !Refusal(err, &of) {
		return nil, false
	}
	return []any{of}, true
}

// attempts returns how often the server has tried a regular activity that came back with err, as far as that is known:
// at least once.
func attempts(ctx workflow.Context, activity workflow.Future, err error) int {
	var app *temporal.ApplicationError
	var first, second converter.RawValue
	switch {
	case err == nil:
		err = activity.Get(ctx, &first)
	case errors.As(err, &app) && app.HasDetails():
		err = app.Details(&first, &second) // of a refusal, the first is its own
	}
	if err != nil {
		return 1
	}
	return max(1, number(first), number(second))
}

// number returns the number in a payload, 0 when there is none.
func number(payload converter.RawValue) int {
	n, _ := strconv.Atoi(string(payload.Payload().GetMetadata()[attemptKey]))
	return n
}
