package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func init() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return translate(context.Background(), status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return translate(ctx.Context(), status, msg, errs)
	}
}

// internalDetail is all that a client learns about our mistakes.
const internalDetail = "something went wrong on our side; it has been logged under the ID in instance"

// wrongType are huma's messages about values of another JSON type than the schema's.
var wrongType = []string{
	validation.MsgExpectedBoolean, validation.MsgExpectedNumber, validation.MsgExpectedInteger,
	validation.MsgExpectedString, validation.MsgExpectedArray, validation.MsgExpectedObject,
}

// translate turns every error that huma makes into a problem. It is the only place that knows huma's messages.
func translate(ctx context.Context, status int, msg string, errs []error) *problem.Problem {
	switch {
	case status == http.StatusNotModified: // not an error: a 304 without a body
		return &problem.Problem{Status: status}
	case msg == "cannot read request body": // the client broke off, or sent broken chunks
		return problem.Malformed.New("the body could not be read to its end")
	case status == http.StatusBadRequest && msg == "request body is required":
		return problem.Malformed.New("a body is required")
	case status == http.StatusRequestEntityTooLarge:
		return tooLarge()
	case status == http.StatusRequestTimeout:
		return problem.RequestTimeout.New("the body did not arrive in time")
	case status >= http.StatusInternalServerError:
		return internal(ctx, msg, errs)
	case msg == "validation failed":
		return validationFailed(errs)
	}
	return problem.ForStatus(status).New(msg)
}

func internal(ctx context.Context, msg string, errs []error) *problem.Problem {
	err := errors.Join(errs...)
	switch {
	case err == nil:
		Log(ctx).Error("internal error", "error", msg)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		Log(ctx).Info("the client went away", "error", err.Error())
	default:
		Log(ctx).Error("internal error", "error", err.Error())
	}
	return problem.Internal.New(internalDetail)
}

// validationFailed says which fields are wrong. The order is that of their places, because huma finds them in the
// random order of a map.
func validationFailed(errs []error) *problem.Problem {
	kind, detail := problem.Invalid, "the request breaks a rule: see errors"
	var fields []problem.Field
	for _, err := range errs {
		f, malformed := field(err)
		if malformed {
			kind, detail = problem.Malformed, "the request cannot be read: see errors"
		}
		fields = append(fields, f)
	}
	slices.SortStableFunc(fields, func(a, b problem.Field) int {
		return strings.Compare(a.Header+a.Parameter+a.Pointer+" "+a.Detail, b.Header+b.Parameter+b.Pointer+" "+b.Detail)
	})
	p := kind.New(detail)
	p.Errors = slices.Compact(fields)
	return p
}

// field translates one of huma's error details and reports whether it means that the body cannot be read at all. The
// value is left out: it may be long or secret, and the client knows it.
func field(err error) (f problem.Field, malformed bool) {
	var d huma.ErrorDetailer
	if !errors.As(err, &d) {
		return problem.Field{Detail: "is invalid"}, false
	}
	detail := d.ErrorDetail()
	location, rest, _ := strings.Cut(detail.Location, ".")
	f.Detail = detail.Message
	switch {
	case location == "path" || location == "query":
		f.Parameter = rest
	case location == "header" || location == "cookie":
		f.Header = rest
	default: // body, also as body[0]
		f.Pointer = pointer(detail.Location)
		if name, ok := missing(detail.Message); ok {
			f.Pointer, f.Detail = f.Pointer+"/"+escapeFragment(name), "is required"
		}
		if at, message, ok := cutDecodeError(detail.Message); ok {
			return problem.Field{Pointer: at, Detail: message}, true
		}
		malformed = slices.Contains(wrongType, detail.Message)
	}
	return f, malformed
}

// missing finds the name of a member that is required and not there: huma reports it at its parent.
func missing(message string) (string, bool) {
	name, ok := strings.CutPrefix(message, "expected required property ")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, " to be present")
}

// pointer turns huma's body.items[0].quantity into #/items/0/quantity.
func pointer(location string) string {
	path := strings.NewReplacer("[", ".", "]", "").Replace(strings.TrimPrefix(location, "body"))
	out := "#"
	for i, part := range strings.Split(path, ".") {
		if i > 0 {
			out += "/" + escapeFragment(unhide(part))
		}
	}
	return out
}

// setInstance is huma's last step before an answer is written: it gives problems their request's ID.
func setInstance(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem.Problem); ok && p.Instance == "" {
		copied := *p
		copied.Instance = RequestID(ctx.Context())
		return &copied, nil
	}
	return v, nil
}
