package api

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

// document is the source of generated clients. The program also serves a page and receives the payment gateway's events.
var document = httpapitest.MustRead("openapi.yaml", "/", "/app.js", "/app.css", "/app.svg", "/catalog", webhookPath)

func TestMain(m *testing.M) { httpapitest.Main(m, document) }

func TestDocument(t *testing.T) {
	t.Parallel()
	httpapitest.TestDocument(t, document, newTestAPIWith(t, confirms, withTokens).OpenAPI(), newTestAPI(t, hesitates))
}
