package api

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

// document is what clients are generated from. Besides its operations, the program answers a page and the gateway.
var document = httpapitest.MustRead("openapi.yaml", "/", "/app.js", "/app.css", "/app.svg", "/catalog", webhookPath)

// TestMain holds the tests to the description. Statuses that any operation may answer are tested once for all, in
// internal/httpapi.
func TestMain(m *testing.M) {
	httpapitest.Main(m, document, "408 /problems/request-timeout", "500 /problems/internal-error")
}

func TestDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	httpapitest.Committed(t, "openapi.yaml", newTestAPIWith(t, confirms, byToken).OpenAPI())
}

// The examples of the description, put together to requests, are understood.
func TestExamplesWork(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, hesitates)
	examples, err := document.Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		if got := api.send(t, e.Method, e.Path, e.Body, e.Headers...); got.status == 400 || got.status == 422 {
			t.Errorf("%+v: got %d %s", e, got.status, got.raw)
		}
	}
}
