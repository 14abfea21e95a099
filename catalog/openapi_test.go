package catalog

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/auth/authtest"
	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

// document is the source of generated clients.
var document = httpapitest.MustRead("openapi.yaml")

func TestMain(m *testing.M) { httpapitest.Main(m, document) }

func TestDocument(t *testing.T) {
	t.Parallel()
	httpapitest.TestDocument(t, document, newAPI(nil, nil, options{who: authenticator(t, authtest.Config)}).OpenAPI(), shop(t))
}
