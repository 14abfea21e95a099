package httpapi

import (
	"context"
	"fmt"
	"mime"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// MaxBody is the largest body that is read, in bytes. Operations may set Operation.MaxBodyBytes to less.
const MaxBody = 64 << 10

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 5 * time.Second

// Register adds an operation, strict as the package says. The problems are those that its handler answers; together
// with the common ones they are documented at the operation, by status, and explained under /problems.
func Register[I, O any](
	a *API, op huma.Operation, handler func(context.Context, *I) (*O, error), problems ...problem.Type,
) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = MaxBody
	}
	op.MaxBodyBytes++ // huma refuses a body that has exactly as many bytes
	op.BodyReadTimeout = bodyTimeout
	op.RejectUnknownQueryParameters = true
	op.Middlewares = append(huma.Middlewares{strict(a)}, op.Middlewares...)
	a.declare(problems)
	a.document(&op, hasBody(reflect.TypeFor[I]()), problems)
	huma.Register(a.API, op, handler)
}

func (a *API) declare(problems []problem.Type) {
	for _, t := range problems {
		if known, ok := a.problems[t.Name]; ok && known != t {
			panic(fmt.Sprintf("problem type %s is declared twice, differently", t.Name))
		}
		a.problems[t.Name] = t
	}
}

// hasBody reports whether an input has a body, as huma sees it.
func hasBody(input reflect.Type) bool {
	_, parsed := input.FieldByName("Body")
	_, raw := input.FieldByName("RawBody")
	return parsed || raw
}

// document lists every problem that an operation answers in its OpenAPI responses.
func (a *API) document(op *huma.Operation, takesBody bool, problems []problem.Type) {
	all := append([]problem.Type{problem.Malformed, problem.Invalid, problem.Internal}, problems...)
	if takesBody {
		all = append(all, problem.TooLarge, problem.UnsupportedMediaType, problem.RequestTimeout)
	}
	if a.limited {
		all = append(all, problem.TooMany)
	}
	if len(op.Security) > 0 {
		all = append(all, problem.Unauthenticated, problem.Forbidden)
	}
	byStatus := map[int][]string{}
	for _, t := range all {
		line := fmt.Sprintf("`%s`: %s", t.URI(), t.Title)
		if !slices.Contains(byStatus[t.Status], line) {
			byStatus[t.Status] = append(byStatus[t.Status], line)
		}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	schema := a.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")
	for status, lines := range byStatus {
		slices.Sort(lines)
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(lines, " · "),
			Content:     map[string]*huma.MediaType{problem.ContentType: {Schema: schema}},
		}
	}
}

// strict refuses what huma would let pass before it reads the body: bodies of another or no content type, compressed or
// surely too long ones, queries that cannot be parsed and parameters that are given twice or empty.
func strict(a *API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if p := a.refuse(ctx); p != nil {
			a.Refuse(ctx, p)
			return
		}
		next(ctx)
	}
}

// Refuse answers with a problem from within a huma middleware, which must not call the next one then.
func (a *API) Refuse(ctx huma.Context, p *problem.Problem) {
	p.Instance = RequestID(ctx.Context())
	for name := range p.Header {
		ctx.SetHeader(name, p.Header.Get(name))
	}
	ctx.SetHeader("Content-Type", problem.ContentType)
	ctx.SetStatus(p.Status)
	_ = a.Marshal(ctx.BodyWriter(), problem.ContentType, p) // the client went away: nothing to do about it
}

func (a *API) refuse(ctx huma.Context) *problem.Problem {
	op := ctx.Operation()
	if p := a.refuseQuery(ctx.URL(), op); p != nil {
		return p
	}
	if op.RequestBody == nil {
		return nil
	}
	return refuseBody(ctx, op)
}

func (a *API) refuseQuery(u url.URL, op *huma.Operation) *problem.Problem {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem.Malformed.New("the query of the URL is not well-formed")
	}
	p := problem.Invalid.New("the request breaks a rule: see errors")
	for name, values := range query {
		switch {
		case len(values) > 1:
			p.Errors = append(p.Errors, problem.Field{Parameter: name, Detail: "is given more than once"})
		case values[0] == "" && !a.mayBeEmpty(op, name):
			p.Errors = append(p.Errors, problem.Field{Parameter: name, Detail: "is empty"})
		case !a.isTime(op, name, values[0]):
			p.Errors = append(p.Errors, problem.Field{Parameter: name, Detail: "invalid date/time for format " + time.RFC3339Nano})
		}
	}
	if len(p.Errors) == 0 {
		return nil
	}
	slices.SortFunc(p.Errors, func(a, b problem.Field) int { return strings.Compare(a.Parameter, b.Parameter) })
	return p
}

// mayBeEmpty reports whether "" is a value of a query's parameter. huma takes it for a parameter that is not there: a list
// that is to be filtered by nothing would hold everything.
func (a *API) mayBeEmpty(op *huma.Operation, name string) bool {
	for _, p := range op.Parameters {
		if p.In == "query" && p.Name == name {
			var result huma.ValidateResult
			huma.Validate(a.OpenAPI().Components.Schemas, p.Schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, "", &result)
			return len(result.Errors) == 0
		}
	}
	return true // unknown: huma refuses it
}

// rfc3339 is the shape of a time. time.Parse, with which huma reads it, also takes T0:00:00Z and a comma before a fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// isTime reports whether a value has the shape of a time, where that is what is wanted.
func (a *API) isTime(op *huma.Operation, name, value string) bool {
	for _, p := range op.Parameters {
		if p.In == "query" && p.Name == name && p.Schema.Format == "date-time" && value != "" {
			return rfc3339.MatchString(value)
		}
	}
	return true
}

func refuseBody(ctx huma.Context, op *huma.Operation) *problem.Problem {
	contentType := ctx.Header("Content-Type")
	length := humagin.Unwrap(ctx).Request.ContentLength // -1: not said beforehand
	if length == 0 && contentType == "" {
		return nil // huma says whether a body is required
	}
	if length >= op.MaxBodyBytes {
		return tooLarge().WithHeader("Connection", "close")
	}
	if ctx.Header("Content-Encoding") != "" {
		return problem.UnsupportedMediaType.New("the body must not be compressed")
	}
	media, params, err := mime.ParseMediaType(contentType)
	if _, ok := op.RequestBody.Content[media]; err != nil || !ok {
		return problem.UnsupportedMediaType.New("the body must be %s", accepted(op))
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return problem.UnsupportedMediaType.New("the body must be in UTF-8")
	}
	return nil
}

func accepted(op *huma.Operation) string {
	var types []string
	for name := range op.RequestBody.Content {
		types = append(types, name)
	}
	slices.Sort(types)
	return strings.Join(types, " or ")
}

func tooLarge() *problem.Problem {
	return problem.TooLarge.New("the body must not be larger than %d bytes", MaxBody)
}
