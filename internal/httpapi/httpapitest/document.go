// Package httpapitest holds the tests of a program to the OpenAPI document of its HTTP API: requests and answers are as the
// document describes them (Document), some test sees every answer that it describes (Main), and the committed document is
// the one that the program would write (Committed).
package httpapitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Document is an OpenAPI document, and what tests have seen of it. It is safe for many goroutines.
type Document struct {
	doc    *openapi3.T
	router routers.Router
	others []string
	seen   sync.Map // answers, as documentedAnswers names them
}

// common are paths of every program that its document leaves out, with everything below them.
var common = []string{"/livez", "/readyz", "/docs", "/openapi.json", "/openapi.yaml", "/problems"}

// MustRead reads the document in a file. It panics when there is none: nothing can be tested then. Other paths that the
// program answers are not held against the document, and neither is anything below them.
//
// An object in an answer may have no member that is not described, except in problems, which each have their own: clients
// have to bear additions, but an addition that nobody described is a mistake.
func MustRead(path string, others ...string) *Document {
	doc, err := load(path)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", path, err))
	}
	for name, schema := range doc.Components.Schemas {
		if name != "Problem" {
			schema.Value.WithoutAdditionalProperties()
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", path, err))
	}
	return &Document{doc: doc, router: router, others: slices.Concat(common, others)}
}

// The library keeps these in global variables, which it reads without a lock.
func init() {
	openapi3.DefineStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562))
	openapi3filter.RegisterBodyDecoder("text/event-stream", decodeEvents)
}

// of31 finds keywords that OpenAPI 3.0 did not have and that say what a value must be like.
var of31 = regexp.MustCompile(`(?m)^[ -]*(const|prefixItems|contains|if|patternProperties|dependent\w+|propertyNames|unevaluated\w+|exclusive\w+|\$defs):` +
	`|^[ -]*type:\s*(\[|$\s*- )`)

// load reads a document of OpenAPI 3.1 and has it validated as one of 3.0, which takes 0.03 ms where kin-openapi compiles
// the schemas of a 3.1 document anew for every value, in 1 ms: fuzzing would be 30 times as slow. For documents that use
// no keyword of 3.1 only, which it makes sure of, it is the same.
func load(path string) (*openapi3.T, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if keyword := of31.Find(text); keyword != nil {
		return nil, fmt.Errorf("%q is of OpenAPI 3.1, and would not be validated", keyword)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err == nil {
		doc.OpenAPI = "3.0.3"
	}
	return doc, err
}

var options = &openapi3filter.Options{
	AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // the program's business
	RejectWhenRequestBodyNotSpecified: true,
	SkipSettingDefaults:               true,
}

// CheckRequest says in what a request is not as it is described.
func (d *Document) CheckRequest(r *http.Request, body []byte) error {
	in, err := d.find(r, body)
	if errors.Is(err, errOther) {
		return nil
	}
	if err != nil {
		return err
	}
	return short(openapi3filter.ValidateRequest(context.WithoutCancel(r.Context()), in))
}

// CheckAnswer says in what the answer to a request is not as it is described, and notes that it was seen. Of a stream of
// server-sent events, every whole event is held against the schema of an item. A request that the document does not know
// has to be answered with 404 or 405.
func (d *Document) CheckAnswer(r *http.Request, status int, header http.Header, body []byte) error {
	in, err := d.find(r, nil)
	if errors.Is(err, errOther) || err != nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		return nil
	}
	if err != nil {
		return err
	}
	described := in.Route.Operation.Responses.Status(status)
	if described == nil {
		return fmt.Errorf("status %d is not described", status)
	}
	if len(described.Value.Content) == 0 && len(body) > 0 {
		return fmt.Errorf("no body is described for status %d", status)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: header, Options: options}
	if err := openapi3filter.ValidateResponse(context.WithoutCancel(r.Context()), out.SetBodyBytes(body)); err != nil {
		return short(err)
	}
	return d.note(in.Route.Operation, status, body)
}

// Check fails the test when the answer to a request is not as described, or when a request was accepted that is not.
func (d *Document) Check(t testing.TB, r *http.Request, sent string, answer *httptest.ResponseRecorder) {
	t.Helper()
	if err := d.CheckAnswer(r, answer.Code, answer.Header(), answer.Body.Bytes()); err != nil {
		t.Errorf("%s %s: answered %d %s: %v", r.Method, r.URL, answer.Code, answer.Body, err)
	}
	if answer.Code >= 300 {
		return
	}
	if err := d.CheckRequest(r, []byte(sent)); err != nil {
		t.Errorf("%s %s: accepted although it is not as described: %s: %v", r.Method, r.URL, sent, err)
	}
}

// short leaves out the schema that a value does not match, which can be pages long.
func short(err error) error {
	if err == nil {
		return nil
	}
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return errors.New(text)
}

// errOther means that the document has nothing to say about a path.
var errOther = errors.New("another path")

func (d *Document) find(r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, error) {
	if d.isOther(r.URL.Path) {
		return nil, errOther
	}
	r = r.Clone(r.Context()) // it is changed by what validates it
	r.Body, r.GetBody, r.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, int64(len(body))
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s is not described: %w", r.Method, r.URL.Path, err)
	}
	return &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}, nil
}

func (d *Document) isOther(path string) bool {
	return slices.ContainsFunc(d.others, func(o string) bool { return path == o || strings.HasPrefix(path, o+"/") && o != "/" })
}
