package main

import (
	"flag"
	"mime"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"ordersaga/internal/httpapi"
)

var write = flag.Bool("write", false, "write openapi.yaml anew")

// openapi.yaml is what clients are generated from. When it changes on purpose: go test ./api -run Description -write
func TestDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	got, err := newTestAPIWith(t, confirms, byToken).OpenAPI().YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *write {
		if err := os.WriteFile("openapi.yaml", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("openapi.yaml (-committed +generated):\n%s", diff)
	}
}

// checkAnswer holds every answer of the tests against the description: the status is documented for the operation, and
// so is every header and every member of the body.
func checkAnswer(t testing.TB, api *httpapi.API, method, path string, a answer) {
	t.Helper()
	op := operation(api.OpenAPI(), method, strings.SplitN(path, "?", 2)[0])
	if op == nil {
		return // not an operation: answered by the router
	}
	documented := op.Responses[strconv.Itoa(a.status)]
	if documented == nil {
		t.Errorf("%s %s: status %d is not documented", method, op.Path, a.status)
		return
	}
	answered.Store(op.OperationID+" "+strconv.Itoa(a.status), true)
	if a.raw == "" {
		return
	}
	contentType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	content := documented.Content[contentType]
	if err != nil || content == nil {
		t.Errorf("%s %s: content type %q of status %d is not documented", method, op.Path, a.header.Get("Content-Type"), a.status)
		return
	}
	var result huma.ValidateResult
	huma.Validate(api.OpenAPI().Components.Schemas, content.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, any(a.body), &result)
	for _, err := range result.Errors {
		t.Errorf("%s %s: the answer %s is not as documented: %v", method, op.Path, a.raw, err)
	}
}

// operation finds what is documented for a request, or nil.
func operation(doc *huma.OpenAPI, method, path string) *huma.Operation {
	for template, item := range doc.Paths {
		if !matchesTemplate(template, path) {
			continue
		}
		switch method {
		case "GET":
			return item.Get
		case "POST":
			return item.Post
		}
	}
	return nil
}

func matchesTemplate(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") || got[i] == "" && i > 0 {
			return false
		}
	}
	return true
}

// The examples of the description, put together to a request, are understood.
func TestExamplesWork(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, hesitates)
	for path, item := range api.OpenAPI().Paths {
		op := item.Post
		if op == nil || op.RequestBody == nil {
			continue
		}
		schema := op.RequestBody.Content["application/json"].Schema
		headers := []string{}
		for _, p := range op.Parameters {
			if p.In == "header" {
				headers = append(headers, p.Name+": "+exampleOf(t, api.API, p.Schema).(string))
			}
		}
		path = strings.Replace(path, "{id}", string(keyed), 1)
		body := marshal(t, exampleOf(t, api.API, schema))
		if got := api.send(t, "POST", path, body, headers...); got.status == 400 || got.status == 422 {
			t.Errorf("POST %s %v %s: got %d %s", path, headers, body, got.status, got.raw)
		}
	}
}

// exampleOf is an example of the values that a schema describes, made of those of its members.
func exampleOf(t *testing.T, api *httpapi.API, s *huma.Schema) any {
	t.Helper()
	if s.Ref != "" {
		s = api.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Type == huma.TypeArray:
		return []any{exampleOf(t, api, s.Items)}
	case s.Type == huma.TypeObject:
		members := map[string]any{}
		for name, member := range s.Properties {
			members[name] = exampleOf(t, api, member)
		}
		return members
	}
	t.Errorf("a %s has no example: %s", s.Type, s.Description)
	return nil
}
