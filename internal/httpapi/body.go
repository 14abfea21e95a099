package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// MaxBody is the size of the largest body that is accepted, in bytes.
const MaxBody = 64 << 10

// bodyTimeout is how long a body may take to arrive.
const bodyTimeout = 5 * time.Second

// checkBody reads a body, checks it completely and puts it back for huma to decode. huma's own checks accept what
// encoding/json accepts, and lose the place of a mistake. It returns nil if the body can be decoded into a value of type t.
func (a *API) checkBody(ctx huma.Context, t reflect.Type) *problem.Problem {
	op, request := ctx.Operation(), humagin.Unwrap(ctx).Request
	if request.ContentLength != 0 || ctx.Header("Content-Type") != "" {
		if p := checkMediaType(ctx); p != nil {
			return p
		}
	}
	body, p := readBody(ctx)
	switch {
	case p != nil:
		return p
	case len(body) > 0:
		request.Body = io.NopCloser(bytes.NewReader(body))
		return a.checkJSON(body, op.RequestBody.Content["application/json"].Schema, t)
	case op.RequestBody.Required:
		return problem.Malformed.New("a body is required")
	}
	return nil
}

func checkMediaType(ctx huma.Context) *problem.Problem {
	if ctx.Header("Content-Encoding") != "" {
		return problem.UnsupportedMediaType.New("the body must not be compressed")
	}
	if len(humagin.Unwrap(ctx).Request.Header.Values("Content-Type")) > 1 {
		return problem.UnsupportedMediaType.New("the header Content-Type is given more than once")
	}
	media, params, err := mime.ParseMediaType(ctx.Header("Content-Type"))
	if err != nil || media != "application/json" {
		return problem.UnsupportedMediaType.New("the body must be application/json")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return problem.UnsupportedMediaType.New("the body must be in UTF-8")
	}
	return nil
}

func readBody(ctx huma.Context) ([]byte, *problem.Problem) {
	c := humagin.Unwrap(ctx)
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // recorders in tests have no deadlines
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		// The rest of the body is not read, so the connection cannot be used again.
		return nil, problem.TooLarge.New("the body must not be larger than %d bytes", MaxBody).WithHeader("Connection", "close")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problem.RequestTimeout.New("the body did not arrive in time")
	case err != nil: // the client went away or sent broken chunks
		return nil, problem.Malformed.New("the body did not arrive completely")
	}
	_ = ctx.SetReadDeadline(time.Time{})
	return body, nil
}

// checkJSON checks a body in three steps: its syntax, the rules of its schema, and last the few numbers that the schema
// allows but the Go type cannot hold, such as 1e3 for an integer.
func (a *API) checkJSON(body []byte, schema *huma.Schema, t reflect.Type) *problem.Problem {
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return unreadable(err)
	}
	var result huma.ValidateResult
	path := huma.NewPathBuffer(make([]byte, 0, 128), 0)
	tree = escapeNames(tree)
	huma.Validate(a.OpenAPI().Components.Schemas, schema, path, huma.ModeWriteToServer, tree, &result)
	wrong := append(slices.DeleteFunc(result.Errors, aboutTime), a.checkFormats(schema, tree, "")...)
	if len(wrong) > 0 {
		return validationFailed(wrong)
	}
	if err := json.Unmarshal(body, reflect.New(t).Interface()); err != nil {
		return unreadable(err)
	}
	return nil
}

// unreadable turns an error of package json into a problem.
func unreadable(err error) *problem.Problem {
	var (
		syntax *jsontext.SyntacticError
		value  *json.SemanticError
		f      problem.Field
	)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		f = problem.Field{Pointer: "#", Detail: "is not JSON: it ends too early"}
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		f = problem.Field{Pointer: "#" + escapeFragment(string(syntax.JSONPointer)), Detail: "is given twice"}
	case errors.As(err, &syntax):
		f = problem.Field{Pointer: "#", Detail: fmt.Sprintf("is not JSON: %v, at byte %d", syntax.Err, syntax.ByteOffset)}
	case errors.As(err, &value) && value.JSONKind == '0':
		f = problem.Field{
			Pointer: "#" + escapeFragment(string(value.JSONPointer)), Detail: "expected a whole number within range, in plain digits",
		}
	default:
		f = problem.Field{Pointer: "#", Detail: "is of the wrong type"}
	}
	p := problem.Malformed.New(unreadableDetail)
	p.Errors = []problem.Field{f}
	return p
}

// escapeNames returns a JSON tree with every name written as in a JSON pointer in a URI fragment (RFC 6901, section 6).
// Dots and brackets are escaped too, because huma joins names with them when it reports where a mistake is.
func escapeNames(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		members := make(map[string]any, len(t))
		for name, value := range t {
			name = escapeFragment(string(jsontext.Pointer("").AppendToken(name))[1:])
			members[separators.Replace(name)] = escapeNames(value)
		}
		return members
	case []any:
		for i, value := range t {
			t[i] = escapeNames(value)
		}
	}
	return tree
}

var separators = strings.NewReplacer(".", "%2E", "[", "%5B", "]", "%5D")

func escapeFragment(pointer string) string { return (&url.URL{Fragment: pointer}).EscapedFragment() }
