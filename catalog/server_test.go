package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
)

var errDown = errors.New("connection refused by 10.1.2.3")

// clock is the time at which the tests of handlers begin.
var clock = time.Date(2026, 5, 17, 8, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.DiscardHandler)

// noTokens switches authentication off.
var noTokens = auth.Config{Mode: auth.ModeNone}

func authenticator(t testing.TB, c auth.Config) *auth.Authenticator {
	t.Helper()
	who := auth.New(c, "catalog", quiet)
	go who.Run(t.Context())
	return who
}

// serve returns the API over a store, at the time of clock, without authentication.
func serve(t testing.TB, store storetest.Store) *httpapi.API {
	t.Helper()
	return serveAt(t, store, func() time.Time { return clock }, noTokens)
}

func serveAt(t testing.TB, store storetest.Store, now func() time.Time, tokens auth.Config) *httpapi.API {
	t.Helper()
	isDown := func(err error) bool { return errors.Is(err, errDown) }
	return newAPI(product.New(store, now), stock.New(store, stock.Options{Now: now, Log: quiet}),
		options{log: quiet, who: authenticator(t, tokens), unavailable: isDown})
}

// shop returns the API over a store with 3 kettles and 1 lamp.
func shop(t *testing.T) http.Handler {
	t.Helper()
	h := serve(t, memorytest.New())
	for _, p := range []string{
		`{"id": "kettle", "name": "Kettle", "description": "Boils water.", "price": {"amount": 2999, "currency": "EUR"},
			"stock": 3, "category": "kitchen"}`,
		`{"id": "lamp", "name": "Lamp", "price": {"amount": 500, "currency": "EUR"}, "stock": 1, "category": "light"}`,
	} {
		if a := send(t, h, "POST", "/products", p); a.status != http.StatusCreated {
			t.Fatalf("seed: %d %v", a.status, a.body)
		}
	}
	return h
}

type response struct {
	status int
	header http.Header
	body   any
}

// send makes a request; headers come as "Name: value".
func send(t *testing.T, h http.Handler, method, path, body string, headers ...string) response {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequestWithContext(t.Context(), method, path, reader)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	r := response{status: w.Code, header: w.Header()}
	if w.Body.Len() > 0 {
		dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&r.body); err != nil {
			t.Fatalf("%s %s: not JSON: %q", method, path, w.Body)
		}
	}
	document.Check(t, req, body, w)
	return r
}

// want compares a response with a status and the JSON of a body. It ignores the members of problems that are for people.
func want(t *testing.T, what string, got response, status int, body string) {
	t.Helper()
	var wanted any
	if body != "" {
		dec := json.NewDecoder(strings.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&wanted); err != nil {
			t.Fatalf("%s: the test is wrong: %v", what, err)
		}
	}
	if m, ok := got.body.(map[string]any); ok && strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
		for _, name := range []string{"title", "detail", "instance", "status"} {
			delete(m, name)
		}
	}
	if got.status != status {
		t.Errorf("%s: status %d, want %d", what, got.status, status)
	}
	if diff := cmp.Diff(wanted, got.body); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const kettle = `{"id": "kettle", "name": "Kettle", "description": "Boils water.", "price": {"amount": 2999, "currency": "EUR"},
	"stock": 3, "category": "kitchen", "createdAt": "2026-05-17T08:00:00Z", "updatedAt": "2026-05-17T08:00:00Z"}`

func TestProductLivesFromPostToDelete(t *testing.T) {
	t.Parallel()
	h := shop(t)
	want(t, "get", send(t, h, "GET", "/products/kettle", ""), 200, kettle)
	want(t, "post again", send(t, h, "POST", "/products",
		`{"id": "kettle", "name": "Other", "price": {"amount": 1, "currency": "USD"}, "category": "x"}`), 409,
		`{"type": "/problems/product-exists"}`)
	want(t, "put", send(t, h, "PUT", "/products/kettle",
		`{"name": "Samovar", "price": {"amount": 1, "currency": "JPY"}, "category": "tea"}`, anyVersion), 200,
		`{"id": "kettle", "name": "Samovar", "description": "", "price": {"amount": 1, "currency": "JPY"}, "stock": 3,
		"category": "tea", "createdAt": "2026-05-17T08:00:00Z", "updatedAt": "2026-05-17T08:00:00Z"}`)
	want(t, "patch", send(t, h, "PATCH", "/products/kettle", `{"price": {"amount": 2, "currency": "JPY"}}`, anyVersion), 200,
		`{"id": "kettle", "name": "Samovar", "description": "", "price": {"amount": 2, "currency": "JPY"}, "stock": 3,
		"category": "tea", "createdAt": "2026-05-17T08:00:00Z", "updatedAt": "2026-05-17T08:00:00Z"}`)
	want(t, "delete", send(t, h, "DELETE", "/products/kettle", ""), 204, "")
	for _, method := range []string{"GET", "DELETE"} {
		want(t, method+" after it", send(t, h, method, "/products/kettle", ""), 404,
			`{"type": "/problems/product-not-found", "productIds": ["kettle"]}`)
	}
}

func TestProductWithoutAnIDGetsOne(t *testing.T) {
	t.Parallel()
	h := shop(t)
	a := send(t, h, "POST", "/products", `{"name": "Cup", "price": {"amount": 0, "currency": "EUR"}, "category": "kitchen"}`)
	location := a.header.Get("Location")
	if a.status != 201 || !strings.HasPrefix(location, "/products/") {
		t.Fatalf("post: %d, Location %q", a.status, location)
	}
	if got := send(t, h, "GET", location, ""); got.status != 200 {
		t.Errorf("GET %s: %d", location, got.status)
	}
}

func TestListingPages(t *testing.T) {
	t.Parallel()
	h := shop(t)
	ids := func(r response) (out []string) {
		for _, p := range r.body.(map[string]any)["products"].([]any) {
			out = append(out, p.(map[string]any)["id"].(string))
		}
		return out
	}
	for query, c := range map[string]struct {
		ids   []string
		pages json.Number
	}{
		"":                         {[]string{"lamp", "kettle"}, "1"},
		"?limit=1":                 {[]string{"lamp"}, "2"},
		"?limit=1&page=2":          {[]string{"kettle"}, "2"},
		"?page=2":                  {nil, "1"},
		"?category=kitchen":        {[]string{"kettle"}, "1"},
		"?minPrice=501":            {[]string{"kettle"}, "1"},
		"?maxPrice=500&minPrice=1": {[]string{"lamp"}, "1"},
		"?category=none":           {nil, "0"},
		"?q=KETTLE":                {[]string{"kettle"}, "1"},
		"?q=lamp+kettle":           {nil, "0"},
		"?limit=1&cursor=2":        {[]string{"kettle"}, "2"},
		"?cursor=1":                {nil, "1"},
	} {
		a := send(t, h, "GET", "/products"+query, "")
		if a.status != 200 {
			t.Errorf("%s: status %d", query, a.status)
			continue
		}
		if diff := cmp.Diff(c.ids, ids(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
		if got := a.body.(map[string]any)["totalPages"]; got != c.pages {
			t.Errorf("%s: %v pages, want %v", query, got, c.pages)
		}
	}
}

func TestPricesComeInTheOrderOfTheRequestOrEveryUnknownProductIsNamed(t *testing.T) {
	t.Parallel()
	h := shop(t)
	want(t, "known", send(t, h, "POST", "/prices", `{"productIds": ["lamp", "kettle"]}`), 200,
		`{"prices": [{"productId": "lamp", "name": "Lamp", "price": {"amount": 500, "currency": "EUR"}},
		{"productId": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}}]}`)
	want(t, "unknown", send(t, h, "POST", "/prices", `{"productIds": ["ghost", "kettle", "not an\u0000ID"]}`), 404,
		`{"type": "/problems/product-not-found", "productIds": ["ghost", "not an\u0000ID"]}`)
}

// The orders of these tests.
const (
	one   = "/reservations/00000000-0000-4000-8000-000000000001"
	two   = "/reservations/00000000-0000-4000-8000-000000000002"
	three = "/reservations/00000000-0000-4000-8000-000000000003"
)

const (
	oneLamp   = `[{"productId": "lamp", "quantity": 1}]`
	oneKettle = `[{"productId": "kettle", "quantity": 1}]`
)

// Returns of an order.
const (
	returnOne = "/returns/00000000-0000-4000-8000-00000000000a"
	returnTwo = "/returns/00000000-0000-4000-8000-00000000000b"
)

func returns(lines string) string { return `{"lines": ` + lines + `}` }

func hold(lines string) string {
	return `{"lines": ` + lines + `, "expiresAt": "2026-05-17T09:00:00+00:00"}`
}

func TestAReservationGoesFromHoldToSaleToReturn(t *testing.T) {
	t.Parallel()
	h := shop(t)
	reservation := func(state, reason string) string {
		return `{"orderId": "00000000-0000-4000-8000-000000000001", "state": "` + state + `"` + reason + `,
		"lines": [{"productId": "kettle", "quantity": 3}, {"productId": "lamp", "quantity": 1}],
		"expiresAt": "2026-05-17T09:00:00Z", "updatedAt": "2026-05-17T08:00:00Z"}`
	}
	units := func(available, held, sold string) string {
		return `{"productId": "kettle", "available": ` + available + `, "held": ` + held + `, "sold": ` + sold + `,
			"initial": 3, "restocked": 0}`
	}
	lines := hold(`[{"productId": "lamp", "quantity": 1}, {"productId": "kettle", "quantity": 1},
		{"productId": "kettle", "quantity": 2}]`)
	for range 2 { // lines with the same product are summed, and a repeated call gets the same response
		want(t, "hold", send(t, h, "PUT", one, lines), 200, reservation("HELD", ""))
		want(t, "units", send(t, h, "GET", "/products/kettle/stock", ""), 200, units("0", "3", "0"))
	}
	want(t, "other lines", send(t, h, "PUT", one, hold(oneLamp)), 409, `{"type": "/problems/reservation-conflict"}`)
	want(t, "delete the product", send(t, h, "DELETE", "/products/kettle", ""), 409, `{"type": "/problems/product-has-holds"}`)
	for range 2 {
		want(t, "commit", send(t, h, "POST", one+"/commit", ""), 200, reservation("SOLD", ""))
	}
	want(t, "units", send(t, h, "GET", "/products/kettle/stock", ""), 200, units("0", "0", "3"))
	for range 2 {
		want(t, "release", send(t, h, "DELETE", one, ""), 200, reservation("RELEASED", `, "reason": "RELEASED"`))
	}
	want(t, "units", send(t, h, "GET", "/products/kettle/stock", ""), 200, units("3", "0", "0"))
	want(t, "commit after it", send(t, h, "POST", one+"/commit", ""), 410, `{"type": "/problems/reservation-released"}`)
	want(t, "get", send(t, h, "GET", one, ""), 200, reservation("RELEASED", `, "reason": "RELEASED"`))
}

func TestRefusalsOfReservationsAreFinal(t *testing.T) {
	t.Parallel()
	h := shop(t)
	short := `{"type": "/problems/out-of-stock", "shortages": [{"productId": "kettle", "requested": 4, "available": 3},
		{"productId": "lamp", "requested": 2, "available": 1}]}`
	tooMuch := hold(`[{"productId": "lamp", "quantity": 2}, {"productId": "kettle", "quantity": 4}]`)
	for range 2 {
		want(t, "short", send(t, h, "PUT", one, tooMuch), 400, short)
	}
	want(t, "commit of it", send(t, h, "POST", one+"/commit", ""), 400, short)
	want(t, "units", send(t, h, "GET", "/products/lamp/stock", ""), 200,
		`{"productId": "lamp", "available": 1, "held": 0, "sold": 0, "initial": 1, "restocked": 0}`)
	ghost := hold(`[{"productId": "lamp", "quantity": 1}, {"productId": "ghost", "quantity": 1}]`)
	want(t, "unknown products", send(t, h, "PUT", two, ghost), 404,
		`{"type": "/problems/product-not-found", "productIds": ["ghost"]}`)
	want(t, "commit of nothing", send(t, h, "POST", two+"/commit", ""), 404, `{"type": "/problems/reservation-not-found"}`)
	want(t, "get of nothing", send(t, h, "GET", two, ""), 404, `{"type": "/problems/reservation-not-found"}`)
	want(t, "release of nothing", send(t, h, "DELETE", two, ""), 200, `{"orderId": "00000000-0000-4000-8000-000000000002",
		"state": "RELEASED", "reason": "RELEASED", "lines": [], "updatedAt": "2026-05-17T08:00:00Z"}`)
	want(t, "reserve after it", send(t, h, "PUT", two, hold(oneLamp)), 410, `{"type": "/problems/reservation-released"}`)
	expired := `{"lines": ` + oneLamp + `, "expiresAt": "2026-05-17T08:00:00Z"}`
	want(t, "expired before it began", send(t, h, "PUT", three, expired), 409, `{"type": "/problems/reservation-expired"}`)
}

func TestARestockAddsUnitsOncePerKey(t *testing.T) {
	t.Parallel()
	h := shop(t)
	stocked := `{"productId": "lamp", "available": 6, "held": 0, "sold": 0, "initial": 1, "restocked": 5}`
	for range 2 {
		want(t, "restock", send(t, h, "POST", "/products/lamp/restock", `{"quantity": 5}`, "Idempotency-Key: k1"), 200, stocked)
	}
	want(t, "same key, other quantity", send(t, h, "POST", "/products/lamp/restock", `{"quantity": 6}`, "Idempotency-Key: k1"), 422,
		`{"type": "/problems/idempotency-key-reused"}`)
	want(t, "same key, other product", send(t, h, "POST", "/products/kettle/restock", `{"quantity": 6}`, "Idempotency-Key: k1"), 200,
		`{"productId": "kettle", "available": 9, "held": 0, "sold": 0, "initial": 3, "restocked": 6}`)
	want(t, "unknown", send(t, h, "POST", "/products/ghost/restock", `{"quantity": 6}`, "Idempotency-Key: k1"), 404,
		`{"type": "/problems/product-not-found", "productIds": ["ghost"]}`)
}

func TestACorrectionChangesAvailableUnitsOncePerKeyAndNeverBelowZero(t *testing.T) {
	t.Parallel()
	h := shop(t)
	correct := func(key, body string) response {
		return send(t, h, "POST", "/products/kettle/corrections", body, "Idempotency-Key: "+key)
	}
	for range 2 {
		want(t, "two broken", correct("k1", `{"quantity": -2, "reason": "broken"}`), 200,
			`{"productId": "kettle", "available": 1, "held": 0, "sold": 0, "initial": 3, "restocked": -2}`)
		want(t, "more than is available", correct("k2", `{"quantity": -2, "reason": "broken"}`), 400,
			`{"type": "/problems/out-of-stock", "shortages": [{"productId": "kettle", "requested": 2, "available": 1}]}`)
	}
	want(t, "same key, other quantity", correct("k1", `{"quantity": -1, "reason": "broken"}`), 422,
		`{"type": "/problems/idempotency-key-reused"}`)
	want(t, "one found", correct("k3", `{"quantity": 1, "reason": "found"}`), 200,
		`{"productId": "kettle", "available": 2, "held": 0, "sold": 0, "initial": 3, "restocked": -1}`)
	found := `{"quantity": 1, "reason": "found"}`
	want(t, "unknown", send(t, h, "POST", "/products/ghost/corrections", found, aKey), 404,
		`{"type": "/problems/product-not-found", "productIds": ["ghost"]}`)
}

func TestRequestsThatBreakARuleAreRejected(t *testing.T) {
	t.Parallel()
	h := shop(t)
	good := `{"name": "n", "price": {"amount": 1, "currency": "EUR"}, "category": "c"}`
	with := func(member string) string { return good[:len(good)-1] + ", " + member + "}" }
	priced := func(price string) string { return strings.Replace(good, `{"amount": 1, "currency": "EUR"}`, price, 1) }
	types := map[int]string{400: "malformed-request", 413: "too-large", 422: "invalid-request"}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		where              string // what the problem's first error points to
	}{
		"negative price":        {"POST", "/products", priced(`{"amount": -1, "currency": "EUR"}`), 422, "#/price/amount"},
		"name of blanks":        {"POST", "/products", strings.Replace(good, `"n"`, `"  "`, 1), 422, "#/name"},
		"name of two lines":     {"POST", "/products", strings.Replace(good, `"n"`, `"a\r\nb"`, 1), 422, "#/name"},
		"name with a NUL":       {"PATCH", "/products/lamp", `{"name": "a\u0000"}`, 422, "#/name"},
		"category of blanks":    {"PATCH", "/products/lamp", `{"category": "\u2003"}`, 422, "#/category"},
		"escape codes":          {"PUT", "/products/lamp", with(`"description": "\u001b[2J"`), 422, "#/description"},
		"null for a name":       {"PATCH", "/products/lamp", `{"name": null}`, 400, "#/name"},
		"fraction of a cent":    {"POST", "/products", priced(`{"amount": 1.5, "currency": "EUR"}`), 400, "#/price/amount"},
		"shape of a currency":   {"POST", "/products", priced(`{"amount": 1, "currency": "eur"}`), 422, "#/price/currency"},
		"unknown currency":      {"POST", "/products", priced(`{"amount": 1, "currency": "EUX"}`), 422, "#/price/currency"},
		"put, unknown currency": {"PUT", "/products/lamp", priced(`{"amount": 1, "currency": "EUX"}`), 422, "#/price/currency"},
		"no name":               {"POST", "/products", `{"price": {"amount": 1, "currency": "EUR"}, "category": "c"}`, 422, "#/name"},
		"bad ID":                {"POST", "/products", with(`"id": "a/b"`), 422, "#/id"},
		"negative stock":        {"POST", "/products", with(`"stock": -1`), 422, "#/stock"},
		"unknown field":         {"POST", "/products", with(`"color": "red"`), 422, "#/color"},
		"stock by PUT":          {"PUT", "/products/lamp", with(`"stock": 5`), 422, "#/stock"},
		"stock by PATCH":        {"PATCH", "/products/lamp", `{"stock": 5}`, 422, "#/stock"},
		"trailing data":         {"POST", "/products", good + `{}`, 400, "#"},
		"not JSON":              {"POST", "/products", `{`, 400, "#"},
		"too large":             {"POST", "/products", `{"name": "` + strings.Repeat("n", 64<<10) + `"}`, 413, ""},
		"page 0":                {"GET", "/products?page=0", "", 422, "page"},
		"not a cursor":          {"GET", "/products?cursor=x", "", 422, "cursor"},
		"cursor and page":       {"GET", "/products?cursor=2&page=2", "", 422, "cursor"},
		"limit over 100":        {"GET", "/products?limit=101", "", 422, "limit"},
		"limit not a number":    {"GET", "/products?limit=ten", "", 422, "limit"},
		"empty category":        {"GET", "/products?category=", "", 422, "category"},
		"search by marks":       {"GET", "/products?q=!!!", "", 422, "q"},
		"search by blanks":      {"GET", "/products?q=%20", "", 422, "q"},
		"empty search":          {"GET", "/products?q=", "", 422, "q"},
		"empty cursor":          {"GET", "/products?cursor=", "", 422, "cursor"},
		"unknown parameter":     {"GET", "/products?colour=red", "", 422, "colour"},
		"no products to price":  {"POST", "/prices", `{"productIds": []}`, 422, "#/productIds"},
		"null to price":         {"POST", "/prices", `{"productIds": null}`, 400, "#/productIds"},
		"no lines":              {"PUT", one, hold(`[]`), 422, "#/lines"},
		"quantity 0":            {"PUT", one, hold(`[{"productId": "lamp", "quantity": 0}]`), 422, "#/lines/0/quantity"},
		"no expiry":             {"PUT", one, `{"lines": ` + oneLamp + `}`, 422, "#/expiresAt"},
		"expiry not a time":     {"PUT", one, `{"lines": ` + oneLamp + `, "expiresAt": "soon"}`, 422, "#/expiresAt"},
		"expiry in a month":     {"PUT", one, `{"lines": ` + oneLamp + `, "expiresAt": "2026-06-16T08:00:01Z"}`, 422, "#/expiresAt"},
		"expiry in year 10000":  {"PUT", one, `{"lines": ` + oneLamp + `, "expiresAt": "9999-12-31T23:59:59-01:00"}`, 422, "#/expiresAt"},
		"forged movement":       {"POST", "/products/lamp/corrections", `{"quantity": 1, "reason": "a\u001b[1A"}`, 422, "#/reason"},
		"not a UUID":            {"PUT", "/reservations/restock-1", hold(oneLamp), 422, "orderId"},
		"return not a UUID":     {"PUT", one + "/returns/1", returns(oneLamp), 422, "returnId"},
		"return of no lines":    {"PUT", one + returnOne, returns(`[]`), 422, "#/lines"},
		"return of 0 units":     {"PUT", one + returnOne, returns(`[{"productId": "lamp", "quantity": 0}]`), 422, "#/lines/0/quantity"},
		"write-off of -1":       {"PUT", one + returnOne, returns(writtenOff("-1")), 422, "#/lines/0/writeOff"},
		"write-off of too many": {"PUT", one + returnOne, returns(writtenOff("2")), 422, "#/lines/0/writeOff"},
		"restock by nothing":    {"POST", "/products/lamp/restock", `{"quantity": 0}`, 422, "#/quantity"},
		"correct by nothing":    {"POST", "/products/lamp/corrections", `{"quantity": 0, "reason": "r"}`, 422, "#/quantity"},
		"correct, no reason":    {"POST", "/products/lamp/corrections", `{"quantity": 1}`, 422, "#/reason"},
		"restock without a key": {"POST", "/products/lamp/restock", `{"quantity": 1}`, 422, "Idempotency-Key"},
	} {
		headers := []string{anyVersion}
		if c.method == "POST" && strings.HasPrefix(c.path, "/products/") && !strings.HasSuffix(name, "a key") {
			headers = append(headers, aKey)
		}
		a := send(t, h, c.method, c.path, c.body, headers...)
		p, _ := a.body.(map[string]any)
		if a.status != c.status || p["type"] != "/problems/"+types[c.status] {
			t.Errorf("%s: %d %v, want %d %s", name, a.status, a.body, c.status, types[c.status])
			continue
		}
		if got := where(p); got != c.where {
			t.Errorf("%s: points to %q, want %q", name, got, c.where)
		}
	}
	want(t, "nothing was changed", send(t, h, "GET", "/products/kettle", ""), 200, kettle)
}

// writtenOff are the lines of a return of one lamp.
func writtenOff(units string) string {
	return `[{"productId": "lamp", "quantity": 1, "writeOff": ` + units + `}]`
}

// where is what the first error of a problem points to.
func where(p map[string]any) string {
	list, _ := p["errors"].([]any)
	if len(list) == 0 {
		return ""
	}
	for _, name := range []string{"pointer", "parameter", "header"} {
		if v, ok := list[0].(map[string]any)[name].(string); ok {
			return v
		}
	}
	return ""
}

func TestAChangeOfAProductThatTheClientHasNotSeenIsNotOverwritten(t *testing.T) {
	t.Parallel()
	h := shop(t)
	const path, changed = "/products/kettle", `{"type": "/problems/product-changed"}`
	name := func(n string) string { return `{"name": "` + n + `"}` }
	details := `{"name": "Pot", "price": {"amount": 1, "currency": "EUR"}, "category": "x"}`
	tag := send(t, h, "GET", path, "").header.Get("ETag")
	first := send(t, h, "PATCH", path, name("Samovar"), "If-Match: "+tag)
	if next := first.header.Get("ETag"); first.status != 200 || next == "" || next == tag {
		t.Fatalf("the first change: %d %v, ETag %s after %s", first.status, first.body, next, tag)
	}
	for what, match := range map[string]string{
		"an old ETag": tag, "a weak ETag": "W/" + first.header.Get("ETag"), "no ETag at all": "2", "another's": `"x"`, "a list": tag + `, "7"`,
	} {
		want(t, "PATCH with "+what, send(t, h, "PATCH", path, name("Pot"), "If-Match: "+match), 412, changed)
		want(t, "PUT with "+what, send(t, h, "PUT", path, details, "If-Match: "+match), 412, changed)
		want(t, "DELETE with "+what, send(t, h, "DELETE", path, "", "If-Match: "+match), 412, changed)
	}
	want(t, "PATCH without", send(t, h, "PATCH", path, name("Pot")), 428, `{"type": "/problems/if-match-required"}`)
	want(t, "PUT without", send(t, h, "PUT", path, details), 428, `{"type": "/problems/if-match-required"}`)

	got := send(t, h, "GET", path, "")
	if p := got.body.(map[string]any); p["name"] != "Samovar" || got.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("the product is %v, ETag %s", p, got.header.Get("ETag"))
	}
	send(t, h, "POST", path+"/restock", `{"quantity": 1}`, aKey) // stock is no detail
	both := "If-Match: " + tag + ", " + first.header.Get("ETag")
	if got := send(t, h, "PUT", path, details, both); got.status != 200 || got.header.Get("ETag") == first.header.Get("ETag") {
		t.Errorf("PUT with the right ETag in a list: %d %v", got.status, got.body)
	}
	if got := send(t, h, "DELETE", path, "", "If-Match: "+send(t, h, "GET", path, "").header.Get("ETag")); got.status != 204 {
		t.Errorf("DELETE: %d %v", got.status, got.body)
	}
	created := send(t, h, "POST", "/products", details)
	location := created.header.Get("Location")
	if got := send(t, h, "PATCH", location, name("Pan"), "If-Match: "+created.header.Get("ETag")); got.status != 200 {
		t.Errorf("PATCH with the ETag of the creation: %d %v", got.status, got.body)
	}
}

// Which of two keys counts would be anybody's guess.
func TestARepeatedKeyIsRejected(t *testing.T) {
	t.Parallel()
	h := shop(t)
	for path, body := range map[string]string{"restock": `{"quantity": 1}`, "corrections": `{"quantity": 1, "reason": "found"}`} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/products/kettle/"+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header["Idempotency-Key"] = []string{"a", "b"}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != 422 || !strings.Contains(w.Body.String(), "is given more than once") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	want(t, "nothing was added", send(t, h, "GET", "/products/kettle", ""), 200, kettle)
}

func TestAProductIsFoundHoweverItsNameIsWritten(t *testing.T) {
	t.Parallel()
	h := shop(t)
	for id, name := range map[string]string{"nfc": "Caf\u00e9 \u2615", "nfd": "Cafe\u0301 Straße"} {
		send(t, h, "POST", "/products", `{"id": "`+id+`", "name": "`+name+`", "price": `+price+`, "category": "x"}`)
	}
	for q, ids := range map[string]string{
		"caf\u00e9": "nfc nfd", "CAFE\u0301": "nfc nfd", "☕": "nfc", "strasse": "nfd", "cafe": "", "☂": "", "€": "",
	} {
		found := map[string]bool{}
		page := send(t, h, "GET", "/products?q="+url.QueryEscape(q), "").body.(map[string]any)
		for _, p := range page["products"].([]any) {
			found[p.(map[string]any)["id"].(string)] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(found)), " "); got != ids {
			t.Errorf("%q finds %q, want %q", q, got, ids)
		}
	}
}
