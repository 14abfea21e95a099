package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func TestHEADWorksWhereverGETDoes(t *testing.T) {
	t.Parallel()
	api, logs := newAPI(t)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	request := func(method, path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || method == "HEAD" && len(body) > 0 {
			t.Errorf("%s %s: %q, %v", method, path, body, err)
		}
		return res
	}
	for _, path := range []string{
		"/livez", "/readyz", "/docs", "/docs/init.js", "/openapi.json", "/openapi.yaml", "/problems", "/problems/teapot",
		"/problems/nothing", "/nothing", "/tea/refused", "/tea/broken",
	} {
		get, head := request("GET", path), request("HEAD", path)
		if get.StatusCode != head.StatusCode || get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
			t.Errorf("%s: HEAD is %s %v, GET is %s %v", path, head.Status, head.Header, get.Status, get.Header)
		}
	}
	res := request("HEAD", "/things/7")
	if res.StatusCode != 405 || res.Header.Get("Allow") != "PUT" {
		t.Errorf("without GET: got %s, Allow %q", res.Status, res.Header.Get("Allow"))
	}
	if allow := request("DELETE", "/problems").Header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow: %q", allow)
	}
	if !strings.Contains(logs.String(), `"method":"HEAD"`) {
		t.Errorf("the access log shows another method:\n%s", logs)
	}
}

func TestAnEncodedSlashSeparatesNothing(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	notFound := *problem.NotFound.New("there is nothing at this path")
	for _, path := range []string{"/tea%2Frefused", "/tea%2frefused", "/%74ea%2Frefused", "/problems%2Fteapot", "/%2Flivez"} {
		checkProblem(t, send(api, "GET", path, ""), notFound)
	}
	for path, status := range map[string]int{
		"/%74ea/refused":  418, // other encoded characters mean what they are
		"/tea/r%65fused":  418,
		"/tea/a%2Frefuse": 200, // the handler gets a/refuse
	} {
		if res := send(api, "GET", path, ""); res.StatusCode != status {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, status)
		}
	}
}

// strictInput has what huma is lenient with.
type strictInput struct {
	Key   string    `header:"Key" required:"true" pattern:"^[a-z]+$"`
	Match string    `header:"If-Match"`
	Since time.Time `query:"since"`
	Name  string    `query:"name"`
	Body  struct {
		Title string     `json:"title,omitempty" minLength:"1" format:"line"`
		Notes []string   `json:"notes,omitempty"`
		Text  string     `json:"text,omitempty" format:"text"`
		At    time.Time  `json:"at,omitempty"`
		Part  strictPart `json:"part,omitempty"`
	}
}

type strictPart struct {
	Count int    `json:"count,omitempty"`
	Name  string `json:"name,omitempty" format:"line"`
}

type strictOutput struct {
	Body struct{ Match string }
}

func newStrictAPI(t *testing.T) *httpapi.API {
	t.Helper()
	api, _ := newAPI(t)
	httpapi.Register(api, huma.Operation{OperationID: "strict", Method: http.MethodPost, Path: "/strict"},
		func(_ context.Context, in *strictInput) (*strictOutput, error) {
			var out strictOutput
			out.Body.Match = in.Match
			return &out, nil
		})
	return api
}

func TestWhatTheLibraryIsLenientWithIsRejected(t *testing.T) {
	t.Parallel()
	api := newStrictAPI(t)
	const notTime = "must be a time in the format of RFC 3339, for example 2026-11-29T12:00:00Z"
	const notYear = "must be a time in the years 1970 to 9999"
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
		want       string // errors, as "place: detail"
	}{
		"right":                 {"?name=a&since=2026-11-29T12:00:00Z", `{"title":"a","at":"2026-11-29T12:00:00.5+01:00"}`, nil, 200, ""},
		"the key twice":         {"", `{}`, []string{"Key: b"}, 422, "Key: is given more than once"},
		"the same key twice":    {"", `{}`, []string{"Key: a"}, 422, "Key: is given more than once"},
		"an empty key":          {"", `{}`, []string{"-Key", "Key: "}, 422, "Key: is empty"},
		"a list in two lines":   {"", `{}`, []string{`If-Match: "1"`, `If-Match: "2"`}, 200, ""},
		"an empty filter":       {"?name=", `{}`, nil, 422, "name: is empty"},
		"a filter without =":    {"?name", `{}`, nil, 422, "name: is empty"},
		"a time of other form":  {"?since=2026-11-29", `{}`, nil, 422, "since: " + notTime},
		"no month 13":           {"?since=2026-13-01T00:00:00Z", `{}`, nil, 422, "since: " + notTime},
		"the time zero":         {"?since=0001-01-01T00:00:00Z", `{}`, nil, 422, "since: " + notYear},
		"null for a string":     {"", `{"title":null}`, nil, 400, "#/title: expected string"},
		"null for a time":       {"", `{"at":null}`, nil, 400, "#/at: expected string"},
		"null for an array":     {"", `{"notes":null}`, nil, 400, "#/notes: expected array"},
		"null in an array":      {"", `{"notes":[null]}`, nil, 400, "#/notes/0: expected string"},
		"null for an object":    {"", `{"part":null}`, nil, 400, "#/part: expected object"},
		"null for a number":     {"", `{"part":{"count":null}}`, nil, 400, "#/part/count: expected integer"},
		"a time in a body":      {"", `{"at":"2026-11-29T0:00:00Z"}`, nil, 422, "#/at: " + notTime},
		"a time beyond JSON":    {"", `{"at":"9999-12-31T23:59:59-23:59"}`, nil, 422, "#/at: " + notYear},
		"two lines":             {"", `{"title":"a\nb"}`, nil, 422, "#/title: must not have the control character U+000A"},
		"NUL":                   {"", `{"text":"a\u0000"}`, nil, 422, "#/text: must not have the control character U+0000"},
		"lines of text":         {"", `{"text":"a\nb"}`, nil, 200, ""},
		"blanks":                {"", `{"title":"  "}`, nil, 422, "#/title: must not be blank"},
		"nothing":               {"", `{"title":""}`, nil, 422, "#/title: expected length >= 1"},
		"escape codes, deep":    {"", `{"part":{"name":"\u001b[2J"}}`, nil, 422, "#/part/name: must not have the control character U+001B"},
		"several mistakes":      {"?name=", `{}`, []string{"Key: b"}, 422, "Key: is given more than once; name: is empty"},
		"mistakes of two kinds": {"", `{"title":" ","x":1}`, nil, 422, "#/title: must not be blank; #/x: unexpected property"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest("POST", "/strict"+test.path, strings.NewReader(test.body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Key", "a")
			for _, h := range test.headers {
				if name, value, set := strings.Cut(h, ": "); set {
					req.Header.Add(name, value)
				} else {
					req.Header.Del(h[1:])
				}
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, req)
			if got := fields(t, w); w.Code != test.status || got != test.want {
				t.Errorf("got %d %s: %s, want %d %s", w.Code, w.Body, got, test.status, test.want)
			}
			if name == "a list in two lines" && !strings.Contains(w.Body.String(), `\"1\", \"2\"`) {
				t.Errorf("the handler sees %s", w.Body)
			}
		})
	}
}

// fields returns the errors of a problem as "place: detail", joined by "; ".
func fields(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Header+e.Parameter+e.Pointer+": "+e.Detail)
	}
	return strings.Join(all, "; ")
}

func TestARepeatedContentTypeIsRejected(t *testing.T) {
	t.Parallel()
	api := newStrictAPI(t)
	req := httptest.NewRequest("POST", "/strict", strings.NewReader(`{}`))
	req.Header = http.Header{"Key": {"a"}, "Content-Type": {"application/json", "application/json; charset=utf-16"}}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, req)
	if w.Code != 415 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
