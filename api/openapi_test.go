package main

import (
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"ordersaga/internal/httpapi"
	"ordersaga/internal/httpapi/apitest"
)

// document is what clients are generated from. Besides its operations, the program answers a page and the gateway.
var document = apitest.MustRead("openapi.yaml", "/", "/app.js", "/app.css", "/app.svg", "/catalog", webhookPath)

// TestMain holds the tests to the description. Statuses that any operation may answer are tested once for all, in
// internal/httpapi.
func TestMain(m *testing.M) {
	apitest.Main(m, document, "408 /problems/request-timeout", "500 /problems/internal-error")
}

func TestDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	apitest.Committed(t, "openapi.yaml", newTestAPIWith(t, confirms, byToken).OpenAPI())
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
