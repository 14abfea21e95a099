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

// Details of problems.
const (
	internalDetail   = "something went wrong on our side; it has been logged under the ID in instance"
	unreadableDetail = "the request cannot be read: see errors"
	invalidDetail    = "the request breaks a rule: see errors"
)

// translate turns every error that huma makes into a problem.
func translate(ctx context.Context, status int, msg string, errs []error) *problem.Problem {
	switch {
	case status == http.StatusNotModified: // not an error: a 304 without a body
		return &problem.Problem{Status: status}
	case status >= http.StatusInternalServerError:
		return internal(ctx, msg, errs)
	case len(errs) > 0:
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

// validationFailed lists the mistakes in a request, sorted by place, because huma finds them in the random order of a map.
func validationFailed(errs []error) *problem.Problem {
	kind, detail := problem.Invalid, invalidDetail
	var fields []problem.Field
	for _, err := range errs {
		f, malformed := field(err)
		if malformed {
			kind, detail = problem.Malformed, unreadableDetail
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

// field translates one of huma's error details and reports whether a value has the wrong JSON type. It leaves out the
// value, which may be long or secret.
func field(err error) (f problem.Field, malformed bool) {
	var d huma.ErrorDetailer
	if !errors.As(err, &d) {
		return problem.Field{Detail: "is invalid"}, false
	}
	detail := d.ErrorDetail()
	location, rest, _ := strings.Cut(detail.Location, ".")
	f.Detail = detail.Message
	switch location {
	case "path", "query":
		f.Parameter = rest
	case "header", "cookie":
		f.Header = rest
	default:
		f.Pointer = pointer(detail.Location)
		if name, ok := missing(detail.Message); ok {
			f.Pointer, f.Detail = f.Pointer+"/"+escapeFragment(name), "is required"
		}
		malformed = slices.Contains(wrongType, detail.Message)
	}
	return f, malformed
}

// missing returns the name of a required member that is missing. huma reports it at the parent.
func missing(message string) (string, bool) {
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	name, ok := strings.CutPrefix(message, before)
	return strings.TrimSuffix(name, after), ok
}

// pointer turns huma's items[0].quantity into #/items/0/quantity. The names are escaped already, see escapeNames.
func pointer(location string) string {
	if location == "" {
		return "#"
	}
	return "#/" + strings.NewReplacer("].", "/", "[", "/", "]", "", ".", "/").Replace(strings.TrimPrefix(location, "["))
}

// setInstance is huma's last step before it writes a response: it gives a problem the ID of its request.
func setInstance(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem.Problem); ok && p.Instance == "" {
		copied := *p
		copied.Instance = RequestID(ctx.Context())
		return &copied, nil
	}
	return v, nil
}
