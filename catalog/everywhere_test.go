package catalog

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/clocktest"
)

const (
	aKey       = "Idempotency-Key: k"
	anyVersion = "If-Match: *"
)

func TestEveryOperationRejectsMalformedRequestsAlike(t *testing.T) {
	t.Parallel()
	h := shop(t)
	for id, op := range everyOperation {
		method, path, _ := strings.Cut(op.request, " ")
		for name, test := range map[string]struct {
			query, body, contentType string
			status                   int
			kind                     string
		}{
			"a broken query":       {"?%", op.body, "application/json", 400, "malformed-request"},
			"an unknown parameter": {"?verbose=1", op.body, "application/json", 422, "invalid-request"},
			"another media type":   {"", op.body, "text/plain", 415, "unsupported-media-type"},
			"too much":             {"", op.body + strings.Repeat(" ", 64<<10), "application/json", 413, "too-large"},
		} {
			if test.query == "" && op.body == "" {
				continue // the operation takes no body
			}
			a := send(t, h, method, path+test.query, test.body, aKey, anyVersion, "Content-Type: "+test.contentType)
			if p, _ := a.body.(map[string]any); a.status != test.status || p["type"] != "/problems/"+test.kind {
				t.Errorf("%s, %s: %d %v, want %d %s", id, name, a.status, a.body, test.status, test.kind)
			}
		}
	}
	want(t, "nothing was changed", send(t, h, "GET", "/products/kettle", ""), 200, kettle)
}

func TestOperationsOnAProductNeedOne(t *testing.T) {
	t.Parallel()
	h := shop(t)
	for id, op := range everyOperation {
		method, path, _ := strings.Cut(op.request, " ")
		if !strings.HasPrefix(path, "/products/") {
			continue
		}
		path = "/products/ghost" + strings.TrimPrefix(strings.TrimPrefix(path, "/products/kettle"), "/products/lamp")
		want(t, id, send(t, h, method, path, op.body, aKey, anyVersion), 404,
			`{"type": "/problems/product-not-found", "productIds": ["ghost"]}`)
	}
}

// down is a store whose server does not respond.
type down struct{ *memorytest.Store }

func (down) Insert(context.Context, stock.Reservation) error { return errDown }
func (down) Reservation(context.Context, string) (stock.Reservation, error) {
	return stock.Reservation{}, errDown
}
func (down) Change(context.Context, stock.Change) (stock.Reservation, bool, error) {
	return stock.Reservation{}, false, errDown
}
func (down) View(context.Context, string, []string) (map[string]stock.View, error) {
	return nil, errDown
}
func (down) Snapshots(context.Context, []string) (map[string]stock.Snapshot, error) {
	return nil, errDown
}
func (down) CreateProduct(context.Context, product.Product) error { return errDown }
func (down) Product(context.Context, string) (product.Product, error) {
	return product.Product{}, errDown
}
func (down) Products(context.Context, []string) (map[string]product.Product, error) {
	return nil, errDown
}
func (down) ListProducts(context.Context, product.Query) ([]product.Product, error) {
	return nil, errDown
}
func (down) CountProducts(context.Context, product.Filter, int64) (int64, error) { return 0, errDown }
func (down) ChangeProduct(context.Context, string, product.Patch, time.Time) (product.Product, error) {
	return product.Product{}, errDown
}
func (down) DeleteProduct(context.Context, string, product.Versions, time.Time) error { return errDown }

func TestEveryOperationReportsThatTheStoreIsDown(t *testing.T) {
	t.Parallel()
	h := serve(t, down{memorytest.New()})
	for id, op := range everyOperation {
		method, path, _ := strings.Cut(op.request, " ")
		a := send(t, h, method, path, op.body, aKey, anyVersion)
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", id)
		}
		want(t, id, a, 503, `{"type": "/problems/store-unavailable"}`)
	}
}

// contended is a store in which another call always gets in first.
type contended struct{ *memorytest.Store }

func (contended) Apply(context.Context, stock.Update) (stock.After, bool, error) {
	return stock.After{}, false, nil
}
func (contended) EndAdjustment(
	context.Context, string, stock.AdjustmentState, int64, time.Time,
) (stock.Adjustment, bool, error) {
	return stock.Adjustment{}, false, nil
}
func (contended) Change(context.Context, stock.Change) (stock.Reservation, bool, error) {
	return stock.Reservation{}, false, nil
}

func TestACallThatFailsUnderContentionCanBeRepeated(t *testing.T) {
	t.Parallel()
	free := kettles(t)
	holdKettle(t, serve(t, free))
	sellKettle(t, serve(t, free))
	for _, id := range []string{
		"reserveStock", "commitStock", "returnStock", "releaseStock", "restockProduct", "correctStock",
	} {
		op := everyOperation[id]
		method, path, _ := strings.Cut(op.request, " ")
		a := send(t, serve(t, contended{free}), method, path, op.body, aKey)
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", id)
		}
		want(t, id, a, 503, `{"type": "/problems/unavailable"}`)
		if again := send(t, serve(t, free), method, path, op.body, aKey); again.status != http.StatusOK {
			t.Errorf("%s again: %d %v", id, again.status, again.body)
		}
	}
}

// holdKettle holds a kettle for order one, for an hour.
func holdKettle(t *testing.T, h http.Handler) {
	t.Helper()
	if a := send(t, h, "PUT", one, hold(oneKettle)); a.status != 200 {
		t.Fatalf("hold: %d %v", a.status, a.body)
	}
}

// sellKettle sells a kettle to order three.
func sellKettle(t *testing.T, h http.Handler) {
	t.Helper()
	for _, call := range [][]string{{"PUT", three, hold(oneKettle)}, {"POST", three + "/commit", ""}} {
		if a := send(t, h, call[0], call[1], call[2]); a.status != 200 {
			t.Fatalf("sell: %d %v", a.status, a.body)
		}
	}
}

func TestAnExpiredHoldIsNotSold(t *testing.T) {
	t.Parallel()
	now := clocktest.At(clock)
	h := serveAt(t, kettles(t), now.Now, noTokens)
	holdKettle(t, h)
	now.Advance(time.Hour)
	for range 2 {
		want(t, "commit", send(t, h, "POST", one+"/commit", ""), 409, `{"type": "/problems/reservation-expired"}`)
	}
}
