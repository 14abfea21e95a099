package httpapi

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

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
		all = append(all, problem.Unauthenticated, problem.Forbidden, problem.Unavailable)
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
		p := a.checkParameters(ctx)
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

// checkParameters rejects queries that cannot be parsed, and parameters in the query or in headers that are repeated, empty
// or not of their format: what huma accepts. Lines of a header that is a list become one line.
func (a *API) checkParameters(ctx huma.Context) *problem.Problem {
	u, header := ctx.URL(), humagin.Unwrap(ctx).Request.Header
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem.Malformed.New("the query of the URL is not well-formed")
	}
	var wrong []error
	for _, p := range ctx.Operation().Parameters {
		values := query[p.Name]
		if p.In == "header" {
			values = header.Values(p.Name)
			if slices.Contains(lists, p.Name) && len(values) > 0 {
				header.Set(p.Name, strings.Join(values, ", "))
				continue
			}
		}
		if detail := checkValues(p, values); detail != "" {
			wrong = append(wrong, &huma.ErrorDetail{Location: p.In + "." + p.Name, Message: detail})
		}
	}
	if wrong == nil {
		return nil
	}
	return validationFailed(wrong)
}

// lists are the headers whose lines together are one list (RFC 9110, section 5.3). No other parameter may be repeated: its
// sender would wrongly believe that each value counts.
var lists = []string{"If-Match", "If-None-Match", "Prefer"}

// checkValues returns what is wrong with the values of a parameter that huma would accept, or "". huma treats an empty
// parameter as absent: a list filtered by nothing would show everything.
func checkValues(p *huma.Param, values []string) string {
	switch {
	case p.In == "path" || len(values) == 0:
		return ""
	case len(values) > 1:
		return "is given more than once"
	case values[0] == "":
		return "is empty"
	}
	if check, ok := formats[p.Schema.Format]; ok {
		if err := check(values[0]); err != nil {
			return err.Error()
		}
	}
	return ""
}
