package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/logtest"
)

var teapot = problem.Type{Name: "teapot", Status: http.StatusTeapot, Title: "I am a teapot", Advice: "Ask for tea."}

type thing struct {
	Name  string `json:"name" minLength:"1" maxLength:"5"`
	Count int32  `json:"count,omitempty" minimum:"1"`
	Parts []part `json:"parts,omitempty" maxItems:"2"`
}

type part struct {
	ID string `json:"id"`
}

type body struct{ Body thing }

// newAPI returns an API with operations that show everything a handler can do, and its log.
func newAPI(t *testing.T) (*httpapi.API, *logtest.Buffer) {
	t.Helper()
	logs := &logtest.Buffer{}
	api := httpapi.New(httpapi.Config{
		Title: "Things", Version: "1.0.0", Log: slog.New(slog.NewJSONHandler(logs, nil)),
		Checks: map[string]httpserver.Check{"database": func(context.Context) error { return errors.New("password=hunter2") }},
	})
	httpapi.Register(api, huma.Operation{OperationID: "putThing", Method: http.MethodPut, Path: "/things/{id}"},
		func(ctx context.Context, in *struct {
			ID    int    `path:"id"`
			Limit int    `query:"limit" minimum:"1"`
			Mode  string `header:"Mode" enum:"fast,slow"`
			body
		}) (*body, error) {
			return &body{in.Body}, nil
		}, teapot)
	httpapi.Register(api, huma.Operation{OperationID: "getTea", Method: http.MethodGet, Path: "/tea/{how}"},
		func(ctx context.Context, in *struct {
			How string `path:"how"`
		}) (*body, error) {
			httpapi.Annotate(ctx, "how", in.How)
			switch in.How {
			case "refused":
				return nil, teapot.New("no %s", "coffee").With("cups", 3).WithHeader("Retry-After", "7")
			case "broken":
				return nil, errors.New("dial tcp 10.0.0.1: password=hunter2")
			case "panicking":
				panic("password=hunter2")
			}
			return nil, nil
		}, teapot)
	return api, logs
}

// send makes a request; headers are "Name: value".
func send(h http.Handler, method, path, body string, headers ...string) *http.Response {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Request-ID", "test-1")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Del(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result()
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func TestValidRequestReachesTheHandler(t *testing.T) {
	t.Parallel()
	api, logs := newAPI(t)
	const want = `{"name":"a<b","count":2,"parts":[{"id":"x"}]}`
	res := send(api, "PUT", "/things/7?limit=3", want, "Content-Type: application/json; charset=UTF-8")
	if got := text(t, res); res.StatusCode != 200 || got != want {
		t.Fatalf("got %d %s, want 200 %s", res.StatusCode, got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Request-Id": "test-1", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{`"route":"/things/:id"`, `"status":200`, `"requestId":"test-1"`} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("the access log %s lacks %s", logs, want)
		}
	}
}

func TestInvalidBodiesAreRejected(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	malformed := func(pointer, detail string) problem.Problem {
		p := problem.Malformed.New("the request cannot be read: see errors")
		p.Errors = []problem.Field{{Pointer: pointer, Detail: detail}}
		return *p
	}
	invalid := func(fields ...problem.Field) problem.Problem {
		p := problem.Invalid.New("the request breaks a rule: see errors")
		p.Errors = fields
		return *p
	}
	unexpected := func(pointer string) problem.Field {
		return problem.Field{Pointer: pointer, Detail: "unexpected property"}
	}
	for name, test := range map[string]struct {
		body string
		want problem.Problem
	}{
		"no body":      {"", *problem.Malformed.New("a body is required")},
		"only a space": {" ", malformed("#", "is not JSON: it ends too early")},
		"cut off":      {`{"name":"a"`, malformed("#", "is not JSON: it ends too early")},
		"trailing comma": {
			`{"name":"a",}`,
			malformed("#", "is not JSON: invalid character ',' at start of value, at byte 11"),
		},
		"unquoted name": {
			`{name:"a"}`,
			malformed("#", "is not JSON: invalid character 'a' in literal null (expecting 'u'), at byte 2"),
		},
		"single quotes": {
			`{'name':'a'}`,
			malformed("#", `is not JSON: invalid character '\'' at start of value, at byte 1`),
		},
		"two values": {
			`{"name":"a"}{"name":"b"}`,
			malformed("#", "is not JSON: invalid character '{' after top-level value, at byte 12"),
		},
		"trailing word": {
			`{"name":"a"} x`,
			malformed("#", "is not JSON: invalid character 'x' after top-level value, at byte 13"),
		},
		"trailing bracket": {
			`{"name":"a"}]`,
			malformed("#", "is not JSON: invalid character ']' after top-level value, at byte 12"),
		},
		"not UTF-8": {"{\"name\":\"\xff\"}", malformed("#", "is not JSON: invalid UTF-8, at byte 9")},
		"a control character": {
			"{\"name\":\"a\nb\"}",
			malformed("#", `is not JSON: invalid character '\n' in string (expecting non-control character), at byte 10`),
		},
		"a member twice":          {`{"name":"a","name":"b"}`, malformed("#/name", "is given twice")},
		"a member twice, escaped": {`{"name":"a","n\u0061me":"b"}`, malformed("#/name", "is given twice")},
		"a member twice, deep": {
			`{"name":"a","parts":[{"id":"x"},{"id":"y","id":"z"}]}`,
			malformed("#/parts/1/id", "is given twice"),
		},
		"nested too deep": {
			strings.Repeat("[", 20_000),
			malformed("#", "is not JSON: exceeded max depth, at byte 10000"),
		},
		"an array":                   {`[]`, malformed("#", "expected object")},
		"null":                       {`null`, malformed("#", "expected object")},
		"a string":                   {`"name"`, malformed("#", "expected object")},
		"number for a string":        {`{"name":1}`, malformed("#/name", "expected string")},
		"null for a required member": {`{"name":null}`, malformed("#/name", "expected string")},
		"string for a number":        {`{"name":"a","count":"1"}`, malformed("#/count", "expected integer")},
		"fraction":                   {`{"name":"a","count":1.5}`, malformed("#/count", "expected integer")},
		"whole number with an exponent": {
			`{"name":"a","count":1e3}`,
			malformed("#/count", "expected a whole number within range, in plain digits"),
		},
		"number beyond its type": {
			`{"name":"a","count":3000000000}`,
			malformed("#/count", "expected a whole number within range, in plain digits"),
		},
		"number beyond every type": {
			`{"name":"a","count":1e999}`,
			malformed("#/count", "expected a whole number within range, in plain digits"),
		},
		"object for an array": {`{"name":"a","parts":{}}`, malformed("#/parts", "expected array")},
		"wrong element":       {`{"name":"a","parts":[1]}`, malformed("#/parts/0", "expected object")},
		"unknown member":      {`{"name":"a","color":1}`, invalid(unexpected("#/color"))},
		"unknown member, deep": {
			`{"name":"a","parts":[{"id":"x"},{"id":"y","z":1}]}`,
			invalid(unexpected("#/parts/1/z")),
		},
		"names with dots and brackets": {
			`{"name":"a","parts":[{"id":"x","a.b[0]":1},{"id":"y","~/ä":1}]}`,
			invalid(unexpected("#/parts/0/a%2Eb%5B0%5D"), unexpected("#/parts/1/~0~1%C3%A4")),
		},
		"another case": {
			`{"Name":"a"}`,
			invalid(unexpected("#/Name"), problem.Field{Pointer: "#/name", Detail: "is required"}),
		},
		"missing member": {`{}`, invalid(problem.Field{Pointer: "#/name", Detail: "is required"})},
		"missing deep": {
			`{"name":"a","parts":[{}]}`,
			invalid(problem.Field{Pointer: "#/parts/0/id", Detail: "is required"}),
		},
		"several": {
			`{"name":"toolong","count":0,"parts":[{"id":"x"},{"id":"x"},{"id":"x"}]}`,
			invalid(
				problem.Field{Pointer: "#/count", Detail: "expected number >= 1"},
				problem.Field{Pointer: "#/name", Detail: "expected length <= 5"},
				problem.Field{Pointer: "#/parts", Detail: "expected array length <= 2"}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkProblem(t, send(api, "PUT", "/things/7", test.body), test.want)
		})
	}
}

func TestInvalidRequestsAreRejected(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	invalid := func(fields ...problem.Field) problem.Problem {
		p := problem.Invalid.New("the request breaks a rule: see errors")
		p.Errors = fields
		return *p
	}
	parameter := func(name, detail string) problem.Problem {
		return invalid(problem.Field{Parameter: name, Detail: detail})
	}
	var (
		notFound   = *problem.NotFound.New("there is nothing at this path")
		notJSON    = *problem.UnsupportedMediaType.New("the body must be application/json")
		notUTF8    = *problem.UnsupportedMediaType.New("the body must be in UTF-8")
		compressed = *problem.UnsupportedMediaType.New("the body must not be compressed")
	)
	const ok = `{"name":"a"}`
	for name, test := range map[string]struct {
		method, path, body, header string
		want                       problem.Problem
	}{
		"unknown path":         {"GET", "/nothing", "", "", notFound},
		"trailing slash":       {"PUT", "/things/7/", ok, "", notFound},
		"path in another case": {"PUT", "/Things/7", ok, "", notFound},
		"unknown problem": {
			"GET", "/problems/nothing", "", "",
			*problem.NotFound.New("there is no such type of problem; /problems lists all of them"),
		},
		"unknown asset": {"GET", "/docs/nothing", "", "", notFound},
		"wrong method": {
			"PATCH", "/things/7", ok, "",
			*problem.MethodNotAllowed.New("PATCH is not allowed at this path"),
		},
		"path not a number": {"PUT", "/things/x", ok, "", parameter("id", "invalid integer")},
		"unknown query":     {"PUT", "/things/7?x=1", ok, "", parameter("x", "unknown query parameter")},
		"query twice": {
			"PUT", "/things/7?limit=1&limit=2", ok, "",
			parameter("limit", "is given more than once"),
		},
		"query empty":         {"PUT", "/things/7?limit=", ok, "", parameter("limit", "is empty")},
		"query breaks a rule": {"PUT", "/things/7?limit=0", ok, "", parameter("limit", "expected number >= 1")},
		"query badly escaped": {
			"PUT", "/things/7?limit=%zz", ok, "",
			*problem.Malformed.New("the query of the URL is not well-formed"),
		},
		"header breaks a rule": {
			"PUT", "/things/7", ok, "Mode: wild",
			invalid(problem.Field{Header: "Mode", Detail: `expected value to be one of "fast, slow"`}),
		},
		"no content type":          {"PUT", "/things/7", ok, "Content-Type: ", notJSON},
		"text":                     {"PUT", "/things/7", ok, "Content-Type: text/plain", notJSON},
		"form":                     {"PUT", "/things/7", ok, "Content-Type: application/x-www-form-urlencoded", notJSON},
		"something+json":           {"PUT", "/things/7", ok, "Content-Type: image/svg+json", notJSON},
		"content type without end": {"PUT", "/things/7", ok, "Content-Type: application/json; charset", notJSON},
		"another charset":          {"PUT", "/things/7", ok, "Content-Type: application/json; charset=latin1", notUTF8},
		"compressed":               {"PUT", "/things/7", ok, "Content-Encoding: gzip", compressed},
		"type without a body": {
			"PUT", "/things/7", "", "Content-Type: application/json",
			*problem.Malformed.New("a body is required"),
		},
		"one byte too large": {
			"PUT", "/things/7", ok + strings.Repeat(" ", httpapi.MaxBody-len(ok)+1), "",
			*problem.TooLarge.New("the body must not be larger than 65536 bytes"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkProblem(t, send(api, test.method, test.path, test.body, test.header), test.want)
		})
	}
}

func TestBodyOfExactlyTheLimitIsRead(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	const small = `{"name":"a"}`
	if res := send(api, "PUT", "/things/7", small+strings.Repeat(" ", httpapi.MaxBody-len(small))); res.StatusCode != 200 {
		t.Fatalf("got %d %s, want 200", res.StatusCode, text(t, res))
	}
}

func TestBodyOfUnknownLengthIsReadUpToTheLimit(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	req := httptest.NewRequest("PUT", "/things/7", io.LimitReader(neverending(' '), 10<<20)) // chunked: no length
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-ID", "test-1")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, req)
	checkProblem(t, w.Result(), *problem.TooLarge.New("the body must not be larger than 65536 bytes"))
}

type neverending byte

func (n neverending) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(n)
	}
	return len(p), nil
}

func TestProblemOfAHandlerKeepsItsExtensionsAndHeaders(t *testing.T) {
	t.Parallel()
	api, logs := newAPI(t)
	res := send(api, "GET", "/tea/refused", "")
	want := `{"type":"/problems/teapot","title":"I am a teapot","status":418,"detail":"no coffee","instance":"test-1","cups":3}`
	if got := text(t, res); got != want || res.StatusCode != 418 || res.Header.Get("Retry-After") != "7" {
		t.Fatalf("got %d %s, Retry-After %q, want %s", res.StatusCode, got, res.Header.Get("Retry-After"), want)
	}
	if !strings.Contains(logs.String(), `"how":"refused"`) {
		t.Errorf("the access log %s lacks what the handler annotated", logs)
	}
}

func TestErrorsAndPanicsAreLoggedAndNeverLeak(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"broken", "panicking"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			api, logs := newAPI(t)
			checkProblem(t, send(api, "GET", "/tea/"+how, ""),
				*problem.Internal.New("something went wrong on our side; it has been logged under the ID in instance"))
			if !strings.Contains(logs.String(), "hunter2") || !strings.Contains(logs.String(), `"requestId":"test-1"`) {
				t.Errorf("the log %s lacks the error or the request's ID", logs)
			}
		})
	}
}

func TestPanicDuringAResponseCutsTheConnection(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	api.Router.GET("/half", func(c *gin.Context) {
		c.String(http.StatusOK, "half")
		c.Writer.Flush()
		panic("the other half")
	})
	server := httptest.NewServer(api)
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/half")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Fatalf("the client took %q for the whole response", b)
	}
}

func TestOnlySaneRequestIDsAreKept(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	for _, bad := range []string{"", "a b", "x\ny", strings.Repeat("a", 65), "../../etc", `"`, "-a"} {
		res := send(api, "GET", "/livez", "", "X-Request-ID: "+bad)
		if got := res.Header.Get("X-Request-ID"); got == bad || len(got) != 36 {
			t.Errorf("request ID %q became %q, want a fresh UUID", bad, got)
		}
	}
}

func TestProbesNameWhatFailsWithoutItsText(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	if res := send(api, "GET", "/livez", ""); res.StatusCode != 200 || text(t, res) != `{"status":"ok"}` {
		t.Errorf("/livez: got %d", res.StatusCode)
	}
	if res := send(api, "GET", "/readyz", ""); res.StatusCode != 503 || text(t, res) != `{"database":"unavailable"}` {
		t.Errorf("/readyz: got %d", res.StatusCode)
	}
}

func TestEveryPageIsServedFromTheBinary(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	for path, want := range map[string]string{
		"/docs":                      "/docs/swagger-ui-bundle.js",
		"/docs/init.js":              "/openapi.json",
		"/docs/swagger-ui.css":       ".swagger-ui",
		"/docs/swagger-ui-bundle.js": "SwaggerUIBundle",
		"/openapi.json":              "`/problems/teapot`: I am a teapot",
		"/openapi.yaml":              "openapi: 3.1.0",
		"/problems":                  `<code>/problems/teapot</code>`,
		"/problems?":                 "headers of more than about 16 KiB earlier, with 400 or 431 and no problem.",
		"/problems/teapot":           "Ask for tea.",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			res := send(api, "GET", path, "")
			got := text(t, res)
			if res.StatusCode != 200 || !strings.Contains(got, want) {
				t.Errorf("got %d %.200s…, want 200 and %q in it", res.StatusCode, got, want)
			}
		})
	}
}

func TestNotModifiedHasNoBody(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	httpapi.Register(api, huma.Operation{OperationID: "same", Method: http.MethodGet, Path: "/same"},
		func(context.Context, *struct{}) (*body, error) { return nil, huma.Status304NotModified() })
	if res := send(api, "GET", "/same", ""); res.StatusCode != 304 || text(t, res) != "" {
		t.Errorf("got %d, want 304 without a body", res.StatusCode)
	}
}

// checkProblem compares a whole problem, and checks that it has the request's ID.
func checkProblem(t *testing.T, res *http.Response, want problem.Problem) {
	t.Helper()
	if res.StatusCode != want.Status || res.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("got HTTP status %d, content type %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	want.Instance = "test-1"
	wire := httptest.NewRecorder()
	want.Write(wire)
	if diff := cmp.Diff(wire.Body.String(), text(t, res)); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}
