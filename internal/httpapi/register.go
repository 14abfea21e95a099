package httpapi

import (
	"context"
	"fmt"
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

// Register adds an operation, as strict as the package comment says. Problems are the types that its handler returns. The
// OpenAPI document lists them and the common types at the operation, by status; /problems explains them.
func Register[I, O any](
	a *API, op huma.Operation, handler func(context.Context, *I) (*O, error), problems ...problem.Type,
) {
	body, hasBody := reflect.TypeFor[I]().FieldByName("Body")
	op.SkipValidateBody = true // strict has done it
	op.RejectUnknownQueryParameters = true
	op.Middlewares = append(huma.Middlewares{a.strict(body.Type)}, op.Middlewares...)
	a.declare(problems)
	a.document(&op, hasBody, problems)
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

// document lists every type of problem of an operation in its OpenAPI responses.
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

// strict rejects what huma would accept. Body is the type of the operation's body; nil: it has none.
func (a *API) strict(body reflect.Type) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p := a.checkQuery(ctx.URL(), ctx.Operation())
		if p == nil && body != nil {
			p = a.checkBody(ctx, body)
		}
		if p != nil {
			Refuse(ctx, p)
			return
		}
		next(ctx)
	}
}

// Refuse responds with a problem from within a huma middleware, which must then not call the next one.
func Refuse(ctx huma.Context, p *problem.Problem) { Respond(humagin.Unwrap(ctx), p) }

// checkQuery rejects queries that cannot be parsed and parameters that are repeated, empty or times of another format.
func (a *API) checkQuery(u url.URL, op *huma.Operation) *problem.Problem {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem.Malformed.New("the query of the URL is not well-formed")
	}
	var wrong []problem.Field
	for name, values := range query {
		if detail := a.checkParameter(op, name, values); detail != "" {
			wrong = append(wrong, problem.Field{Parameter: name, Detail: detail})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(a, b problem.Field) int { return strings.Compare(a.Parameter, b.Parameter) })
	p := problem.Invalid.New(invalidDetail)
	p.Errors = wrong
	return p
}

// rfc3339 is the format of a time. time.Parse, which huma uses, also accepts T0:00:00Z and a comma before a fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// checkParameter returns what is wrong with a query parameter that huma would accept, or "".
func (a *API) checkParameter(op *huma.Operation, name string, values []string) string {
	if len(values) > 1 {
		return "is given more than once"
	}
	i := slices.IndexFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
	if i < 0 {
		return "" // unknown: huma rejects it
	}
	schema := op.Parameters[i].Schema
	switch {
	case values[0] == "":
		// huma treats an empty parameter as absent. A list filtered by nothing would return everything.
		var result huma.ValidateResult
		huma.Validate(a.OpenAPI().Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, "", &result)
		if len(result.Errors) > 0 {
			return "is empty"
		}
	case schema.Format == "date-time" && !rfc3339.MatchString(values[0]):
		return "invalid date/time for format " + time.RFC3339Nano
	}
	return ""
}
