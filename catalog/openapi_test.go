package catalog

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/auth/authtest"
	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

// document is what clients are generated from.
var document = httpapitest.MustRead("openapi.yaml")

// TestMain holds the tests to the description. Statuses that any operation may answer are tested once for all, in
// internal/httpapi.
func TestMain(m *testing.M) {
	httpapitest.Main(m, document, "408 /problems/request-timeout", "500 /problems/internal-error")
}

func TestDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	httpapitest.Committed(t, "openapi.yaml", newAPI(nil, nil, options{who: authenticator(t, authtest.Config)}).OpenAPI())
}

// The examples of the description, put together to requests, are understood.
func TestExamplesWork(t *testing.T) {
	t.Parallel()
	h := shop(t)
	examples, err := document.Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		a := send(t, h, e.Method, e.Path, e.Body, e.Headers...)
		if a.status == 400 || a.status == 422 {
			t.Errorf("%+v: got %d %v", e, a.status, a.body)
		}
	}
}
