package httpapitest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const (
	id    = "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"
	order = `{"id": "` + id + `", "userId": 42, "status": "PENDING",
		"items": [{"productId": "mug", "quantity": 2}], "createdAt": "2026-11-01T00:00:00Z", "updatedAt": "2026-11-01T00:00:00Z"}`
	line     = `{"type": "STEP_DONE", "at": "2026-11-01T00:00:00Z", "step": "ReserveStock"}`
	watch    = "GET /orders/" + id + "/events"
	newOrder = `{"userId": 42, "items": [{"productId": "mug", "quantity": 2}]}`
	isJSON   = "application/json"
	problem  = "application/problem+json"
	stream   = "text/event-stream"
)

// in is a text with its first old replaced.
func in(text, old, with string) string { return strings.Replace(text, old, with, 1) }

func event(name, data string) string {
	return "id: 7\nevent: " + name + "\ndata: " + strings.ReplaceAll(data, "\n", " ") + "\n\n"
}

func refusal(kind string) string {
	return `{"type": "` + kind + `", "title": "t", "status": 400, "other": 1}`
}

// Every test of an API relies on this.
func TestResponsesThatDifferFromTheDocumentAreFound(t *testing.T) {
	t.Parallel()
	d := MustRead("../../../api/openapi.yaml", "/page")
	for name, c := range map[string]struct {
		request, contentType, body string
		status                     int
		found                      string // what the error says, "" for none
	}{
		"as described":             {"POST /orders", isJSON, order, 202, ""},
		"a charset":                {"POST /orders", isJSON + "; charset=utf-8", order, 202, ""},
		"a number for an ID":       {"POST /orders", isJSON, in(order, `"`+id+`"`, "7"), 202, "string"},
		"an ID that is none":       {"POST /orders", isJSON, in(order, "0190d2ad", "x"), 202, "uuid"},
		"a time that is none":      {"POST /orders", isJSON, in(order, "2026-11-01T", "yesterday "), 202, "date-time"},
		"an unknown status":        {"POST /orders", isJSON, in(order, "PENDING", "LOST"), 202, "must be one of"},
		"a member left out":        {"POST /orders", isJSON, in(order, `"userId": 42,`, ""), 202, "userId"},
		"a member too many":        {"POST /orders", isJSON, in(order, "{", `{"hash": "x",`), 202, "hash"},
		"an integer too large":     {"POST /orders", isJSON, in(order, "42", "9223372036854775808"), 202, "64 bits"},
		"a member of a line":       {"POST /orders", isJSON, in(order, `"quantity": 2`, `"quantity": "2"`), 202, "integer"},
		"not JSON":                 {"POST /orders", isJSON, "order", 202, "decode"},
		"another content type":     {"POST /orders", "text/html", order, 202, "Content-Type"},
		"no content type":          {"POST /orders", "", order, 202, "Content-Type"},
		"another HTTP status":      {"POST /orders", isJSON, order, 207, "status 207"},
		"a body of 304":            {"GET /orders/" + id, isJSON, order, 304, "no body"},
		"unchanged":                {"GET /orders/" + id, "", "", 304, ""},
		"a problem":                {"POST /orders", problem, refusal("/problems/out-of-stock"), 400, ""},
		"a problem without a type": {"POST /orders", problem, `{"title": "t", "status": 400}`, 400, "type"},
		"a problem of elsewhere":   {"POST /orders", problem, refusal("/problems/order-not-found"), 400, "order-not-found"},
		"an unknown path":          {"GET /nothing", problem, refusal("/problems/not-found"), 404, ""},
		"an unknown method":        {"PUT /orders", problem, refusal("/problems/method-not-allowed"), 405, ""},
		"an undescribed operation": {"GET /nothing", isJSON, order, 200, "not described"},
		"another path":             {"GET /page", "text/html", "<p>", 200, ""},
		"below another path":       {"GET /page/1", "text/html", "<p>", 200, ""},
		"beside another path":      {"GET /pages", "text/html", "<p>", 200, "not described"},
		"a stream": {watch, stream,
			"retry: 2000\n\n" + event("entry", line) + ": quiet\n\n" + event("end", order), 200, ""},
		"a stream that breaks": {watch, stream,
			event("order", order) + "event: end\ndata: {", 200, ""},
		"a stream that says nothing": {watch, stream, "", 200, ""},
		"an entry as an order": {watch, stream,
			event("entry", line) + event("order", line), 200, "at '/1': 'oneOf' failed"},
		"an event of another kind": {watch, stream, event("gone", order), 200, "at '/0': 'oneOf' failed"},
		"an event that is not JSON": {watch, stream,
			event("order", "none"), 200, "the data of the event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(c.request, " ")
			header := http.Header{"Content-Type": {c.contentType}}
			err := d.CheckResponse(httptest.NewRequest(method, path, nil), c.status, header, []byte(c.body))
			wantError(t, err, c.found)
		})
	}
}

func TestRequestsThatDifferFromTheDocumentAreFound(t *testing.T) {
	t.Parallel()
	d := MustRead("../../../api/openapi.yaml", "/page")
	for name, c := range map[string]struct{ request, body, header, found string }{
		"as described":         {"POST /orders", newOrder, "Idempotency-Key: k", ""},
		"no user":              {"POST /orders", in(newOrder, `"userId": 42,`, ""), "", "userId"},
		"no body":              {"POST /orders", "", "", "required"},
		"a quantity of 0":      {"POST /orders", in(newOrder, `"quantity": 2`, `"quantity": 0`), "", "quantity"},
		"a member too many":    {"POST /orders", in(newOrder, "{", `{"total": 1,`), "", "total"},
		"another content type": {"POST /orders", newOrder, "Content-Type: text/plain", "Content-Type"},
		"an unknown parameter": {"GET /orders?page=2", "", "", "page"},
		"a key with a space":   {"POST /orders", newOrder, "Idempotency-Key: a b", "Idempotency-Key"},
		"a limit of 0":         {"GET /orders?limit=0", "", "", "limit"},
		"a body for a GET":     {"GET /orders", newOrder, "", "not allowed"},
		"an ID that is none":   {"GET /orders/7", "", "", "pattern"},
		"an unknown path":      {"GET /nothing", "", "", "not described"},
		"another path":         {"GET /page", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(c.request, " ")
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Content-Type", isJSON)
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				r.Header.Set(name, value)
			}
			wantError(t, d.CheckRequest(r, []byte(c.body)), c.found)
		})
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("got %v, want none", err)
	case text != "" && err == nil:
		t.Errorf("got no error, want %q", text)
	case text != "" && !strings.Contains(err.Error(), text):
		t.Errorf("got %v, want %q in it", err, text)
	}
}

func TestResponsesThatNoTestSawAreNamed(t *testing.T) {
	t.Parallel()
	d := MustRead("../../../api/openapi.yaml")
	see := func(status int, body string) {
		t.Helper()
		header := http.Header{"Content-Type": {isJSON}}
		if status >= 400 {
			header.Set("Content-Type", problem)
		}
		if err := d.CheckResponse(httptest.NewRequest("POST", "/orders", nil), status, header, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	see(201, order)
	see(400, refusal("/problems/out-of-stock"))
	missing := d.unseen()
	for response, want := range map[string]bool{
		"POST /orders: 201":                            false,
		"POST /orders: 202":                            true,
		"POST /orders: 400 /problems/out-of-stock":     false,
		"POST /orders: 400 /problems/payment-declined": true,
		"GET /orders: 400 /problems/malformed-request": true,
		"GET /orders: 500 /problems/internal-error":    false,
		"GET /orders/{id}: 304":                        true,
	} {
		if slices.Contains(missing, response) != want {
			t.Errorf("%s is missing: %v, want %v", response, !want, want)
		}
	}
}
