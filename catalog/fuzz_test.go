package catalog

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// These tests send arbitrary input: the response is never a 5xx, and an error is always a problem with a type.

func neverBroken(t *testing.T, what string, got response) {
	t.Helper()
	problem, _ := got.body.(map[string]any)
	if got.status >= 500 || got.status < 200 || got.status >= 300 && problem["type"] == nil {
		t.Errorf("%s: got %d %v", what, got.status, got.body)
	}
}

// sendable reports whether HTTP allows this value in a header.
func sendable(value string) bool { return !strings.ContainsAny(value, "\r\n\x00") }

// segment escapes an ID for a path. It skips IDs that would make another path.
func segment(t *testing.T, id string) string {
	t.Helper()
	if id == "" || strings.Contains(id, "/") {
		t.Skip("another path")
	}
	return url.PathEscape(id)
}

// FuzzProducts writes products with POST, PUT and PATCH.
func FuzzProducts(f *testing.F) {
	f.Add("lamp", `{"id": "cup", "name": "Cup", "price": {"amount": 0, "currency": "EUR"}, "category": "kitchen", "stock": 9}`)
	f.Add("lamp", `{"name": "n", "price": {"amount": 1e999, "currency": "EUX"}, "category": "c"}`)
	f.Add("lamp", `{"price": {"amount": 9223372036854775808, "currency": "eur"}}`)
	f.Add("gh\x00st", `{"name": "\u0000\ud800", "category": null, "description": []}`)
	f.Add("\xff", `{"name": "a", "name": "b", "color": {}}{}`)
	f.Add("..", `[[[[`)
	f.Fuzz(func(t *testing.T, id, body string) {
		h := shop(t)
		neverBroken(t, "POST", send(t, h, http.MethodPost, "/products", body))
		path := "/products/" + segment(t, id)
		neverBroken(t, "PUT", send(t, h, http.MethodPut, path, body, anyVersion))
		neverBroken(t, "PATCH", send(t, h, http.MethodPatch, path, body, anyVersion))
		neverBroken(t, "GET", send(t, h, http.MethodGet, path, ""))
		neverBroken(t, "DELETE", send(t, h, http.MethodDelete, path, ""))
	})
}

// FuzzListing lists products.
func FuzzListing(f *testing.F) {
	for _, query := range []string{
		"", "q=KETTLE", "limit=1&cursor=2", "page=0", "page=9223372036854775807&limit=100", "minPrice=501&maxPrice=-1",
		"cursor=x&page=2", "category=%00", "q=%ff%00", "limit=1;page=2", "%zz", "colour=red&colour=blue",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		target := "/products?" + query
		if _, err := url.ParseRequestURI(target); err != nil || strings.ContainsAny(query, " #\x7f") || !sendable(query) {
			t.Skip("not valid in HTTP")
		}
		neverBroken(t, "GET", send(t, shop(t), http.MethodGet, target, ""))
	})
}

// FuzzPrices prices products.
func FuzzPrices(f *testing.F) {
	for _, body := range []string{
		`{"productIds": ["lamp", "kettle", "lamp"]}`, `{"productIds": [""]}`, `{"productIds": ["\u0000", "\ud800", 1]}`,
		`{"productIds": null}`, `{`, `[]`, `"`, `{"productIds": ["lamp"]}{}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		neverBroken(t, "POST", send(t, shop(t), http.MethodPost, "/prices", body))
	})
}

// FuzzStock restocks and corrects.
func FuzzStock(f *testing.F) {
	f.Add("lamp", `{"quantity": 5}`, "k1")
	f.Add("lamp", `{"quantity": -1, "reason": "broken"}`, "k2")
	f.Add("kettle", `{"quantity": 9223372036854775807, "reason": ""}`, "")
	f.Add("ghost", `{"quantity": 1.5, "reason": "\u0000"}`, "\xff")
	f.Add("a b", `{"quantity": "5"}`, strings.Repeat("k", 300))
	f.Fuzz(func(t *testing.T, id, body, key string) {
		path := "/products/" + segment(t, id)
		if !sendable(key) {
			t.Skip("not valid in a header")
		}
		h := shop(t)
		for range 2 { // the second time the key is known
			neverBroken(t, "restock", send(t, h, http.MethodPost, path+"/restock", body, "Idempotency-Key: "+key))
			neverBroken(t, "correct", send(t, h, http.MethodPost, path+"/corrections", body, "Idempotency-Key: "+key))
		}
		neverBroken(t, "stock", send(t, h, http.MethodGet, path+"/stock", ""))
	})
}

// FuzzReservations calls all operations on a reservation.
func FuzzReservations(f *testing.F) {
	id := strings.TrimPrefix(one, "/reservations/")
	f.Add(id, hold(`[{"productId": "lamp", "quantity": 1}, {"productId": "kettle", "quantity": 2}]`))
	f.Add(id, hold(`[{"productId": "lamp", "quantity": 1000000}, {"productId": "lamp", "quantity": 1000000}]`))
	f.Add(id, hold(`[{"productId": "gh\u0000st", "quantity": 1}]`))
	f.Add(strings.ToUpper(id), `{"lines": [], "expiresAt": "soon"}`)
	f.Add("restock-1", `{"lines": [{"productId": "lamp", "quantity": 1}], "expiresAt": "9999-12-31T23:59:59Z"}`)
	f.Add("00000000-0000-0000-0000-000000000000", `{"lines": null, "expiresAt": "0000-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, id, body string) {
		path, h := "/reservations/"+segment(t, id), shop(t)
		neverBroken(t, "GET", send(t, h, http.MethodGet, path, ""))
		neverBroken(t, "PUT", send(t, h, http.MethodPut, path, body))
		neverBroken(t, "commit", send(t, h, http.MethodPost, path+"/commit", ""))
		neverBroken(t, "DELETE", send(t, h, http.MethodDelete, path, ""))
		neverBroken(t, "GET", send(t, h, http.MethodGet, path, ""))
	})
}

// FuzzReturns returns units of an order that has bought a kettle.
func FuzzReturns(f *testing.F) {
	id := strings.TrimPrefix(returnOne, "/returns/")
	f.Add(id, returns(`[{"productId": "kettle", "quantity": 1, "writeOff": 1}]`))
	f.Add(id, returns(`[{"productId": "kettle", "quantity": 1000000}, {"productId": "gh\u0000st", "quantity": 1}]`))
	f.Add(id, returns(`[{"productId": "kettle", "quantity": 1, "writeOff": 2}]`))
	f.Add("r1", returns(`[{"productId": "kettle", "quantity": 1, "writeOff": null}]`))
	f.Add(id, returns(`null`))
	f.Fuzz(func(t *testing.T, id, body string) {
		path, h := three+"/returns/"+segment(t, id), shop(t)
		sellKettle(t, h)
		for range 2 { // the second time the return is known
			neverBroken(t, "PUT", send(t, h, http.MethodPut, path, body))
		}
		neverBroken(t, "GET", send(t, h, http.MethodGet, three, ""))
	})
}
