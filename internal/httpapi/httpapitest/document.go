// Package httpapitest checks a program against the OpenAPI document of its HTTP API: requests and responses are as the
// document describes them (Document), some test sees every response that it describes (Main), and the committed document
// is the program's (TestDocument).
package httpapitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Document is an OpenAPI document and the responses that tests have seen. It is safe for concurrent use.
type Document struct {
	path       string
	operations []*operation
	others     []string
	seen       sync.Map // keys: operation ID + " " + response, as operation.documented names it
}

// common are paths that every program serves and no document describes, with everything below them.
var common = []string{"/livez", "/readyz", "/docs", "/openapi.json", "/openapi.yaml", "/problems"}

// MustRead reads the document in a file and panics if it cannot. Requests for the other paths, and for everything below
// them, are not checked.
//
// An object in a response may have only members that are described, except in problems, whose types have different
// members. Clients must accept additions, but an undescribed addition is a mistake.
func MustRead(path string, others ...string) *Document {
	operations, err := load(path)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", path, err))
	}
	return &Document{path: path, operations: operations, others: slices.Concat(common, others)}
}

// CheckRequest reports how a request differs from its description.
func (d *Document) CheckRequest(r *http.Request, body []byte) error {
	op, values, err := d.find(r)
	if errors.Is(err, errOther) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := op.checkParameters(r, values); err != nil {
		return err
	}
	switch described := op.RequestBody; {
	case len(body) > 0 && described == nil:
		return errors.New("a body is not allowed")
	case len(body) > 0:
		return op.checkBody(described.Content, r.Header.Get("Content-Type"), body, "requestBody")
	case described != nil && described.Required:
		return errors.New("a body is required")
	}
	return nil
}

// CheckResponse reports how the response to a request differs from its description, and remembers that it was seen. The
// response to a request that the document does not describe must be 404 or 405.
func (d *Document) CheckResponse(r *http.Request, status int, header http.Header, body []byte) error {
	op, _, err := d.find(r)
	if errors.Is(err, errOther) || err != nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		return nil
	}
	if err != nil {
		return err
	}
	code := strconv.Itoa(status)
	described, ok := op.Responses[code]
	if !ok {
		return fmt.Errorf("status %d is not described", status)
	}
	for name := range described.Headers {
		for _, value := range header.Values(name) {
			if err := checkText(op.schema("responses", code, "headers", name), value); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	switch {
	case len(described.Content) > 0:
		if err := op.checkBody(described.Content, header.Get("Content-Type"), body, "responses", code); err != nil {
			return err
		}
	case len(body) > 0:
		return fmt.Errorf("no body is described for status %d", status)
	}
	return d.note(op, code, described.problems(), body)
}

// Check fails the test if a response is not as described, or if the program accepted a request that is not.
func (d *Document) Check(t testing.TB, r *http.Request, sent string, response *httptest.ResponseRecorder) {
	t.Helper()
	if err := d.CheckResponse(r, response.Code, response.Header(), response.Body.Bytes()); err != nil {
		t.Errorf("%s %s: the response %d %s: %v", r.Method, r.URL, response.Code, response.Body, err)
	}
	if response.Code >= 300 {
		return
	}
	if err := d.CheckRequest(r, []byte(sent)); err != nil {
		t.Errorf("%s %s: the request was accepted: %s: %v", r.Method, r.URL, sent, err)
	}
}

// errOther means that the document does not cover a path.
var errOther = errors.New("another path")

// find returns the operation that a request is for, and the values of the parameters in its path.
func (d *Document) find(r *http.Request) (*operation, map[string]string, error) {
	if slices.ContainsFunc(d.others, func(o string) bool {
		return r.URL.Path == o || strings.HasPrefix(r.URL.Path, o+"/") && o != "/"
	}) {
		return nil, nil, errOther
	}
	for _, op := range d.operations {
		if values, ok := op.match(r); ok {
			return op, values, nil
		}
	}
	return nil, nil, fmt.Errorf("%s %s is not described", r.Method, r.URL.Path)
}

// note remembers a response. A problem of a type that is not described for it is an error.
func (d *Document) note(op *operation, name string, problems []string, body []byte) error {
	if len(problems) > 0 {
		var problem struct{ Type string }
		if err := json.Unmarshal(body, &problem); err != nil || !slices.Contains(problems, problem.Type) {
			return fmt.Errorf("status %s with type %q: described are %s", name, problem.Type, problems)
		}
		name += " " + problem.Type
	}
	d.seen.Store(op.OperationID+" "+name, true)
	return nil
}
