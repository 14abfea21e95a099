package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// fieldsOf returns the errors in a problem as "place: detail", joined by "; ".
func fieldsOf(t *testing.T, a response) string {
	t.Helper()
	var body struct {
		Errors []struct{ Detail, Pointer, Parameter, Header string }
	}
	if err := json.Unmarshal([]byte(a.raw), &body); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range body.Errors {
		out = append(out, e.Header+e.Parameter+e.Pointer+": "+e.Detail)
	}
	return strings.Join(out, "; ")
}

const (
	notProductID = "expected string to be 1 to 64 letters, digits, dots, underscores and hyphens"
	notOrderID   = "expected string to be a UUID in lower case"
	notStatus    = `expected value to be one of "PENDING, CONFIRMED, FAILED, CANCELLED"`
	notTime      = "must be a time in the format of RFC 3339, for example 2026-11-29T12:00:00Z"
	notWhole     = "expected a whole number within range, in plain digits"
)

var cancelKeyed = "POST /orders/" + string(keyed) + "/cancel"

// malformed are requests that the API rejects before it looks at any order, with the exact response: the common type of
// problem with this status, and these errors.
var malformed = map[string]struct {
	request string // method and path; POST /orders when empty
	body    string
	headers []string
	status  int
	fields  string
}{
	"no body":    {body: "", status: 400},
	"blank body": {body: "  ", status: 400, fields: "#: is not JSON: it ends too early"},
	"not JSON": {
		body:   "order=1",
		status: 400, fields: "#: is not JSON: invalid character 'o' at start of value, at byte 0",
	},
	"cut off": {
		body:   twoMugs[:len(twoMugs)-1],
		status: 400, fields: "#: is not JSON: it ends too early",
	},
	"two orders": {
		body:   twoMugs + twoMugs,
		status: 400, fields: fmt.Sprintf("#: is not JSON: invalid character '{' after top-level value, at byte %d", len(twoMugs)),
	},
	"a list of orders": {body: "[" + twoMugs + "]", status: 400, fields: "#: expected object"},
	"null":             {body: "null", status: 400, fields: "#: expected object"},
	"a comment": {
		body:   "/* */" + twoMugs,
		status: 400, fields: "#: is not JSON: invalid character '/' at start of value, at byte 0",
	},
	"latin-1": {
		body:   "{\"userId\":\"\xe9\"}",
		status: 400, fields: "#: is not JSON: invalid UTF-8, at byte 11",
	},
	"userId twice": {
		body:   `{"userId":42,"userId":43,"items":[]}`,
		status: 400, fields: "#/userId: is given twice",
	},
	"quantity twice": {
		body:   `{"userId":42,"items":[{"productId":"a","quantity":1,"quantity":2}]}`,
		status: 400, fields: "#/items/0/quantity: is given twice",
	},
	"userId as text":    {body: with("userId", `"42"`), status: 400, fields: "#/userId: expected integer"},
	"userId null":       {body: with("userId", `null`), status: 400, fields: "#/userId: expected integer"},
	"userId a fraction": {body: with("userId", `4.2`), status: 400, fields: "#/userId: expected integer"},
	"userId true":       {body: with("userId", `true`), status: 400, fields: "#/userId: expected integer"},
	"userId as 42e0":    {body: with("userId", `42e0`), status: 400, fields: "#/userId: " + notWhole},
	"items an object":   {body: with("items", `{}`), status: 400, fields: "#/items: expected array"},
	"items null":        {body: with("items", `null`), status: 400, fields: "#/items: expected array"},
	"an item a text":    {body: with("items", `["mug"]`), status: 400, fields: "#/items/0: expected object"},
	"an item null":      {body: with("items", `[null]`), status: 400, fields: "#/items/0: expected object"},
	"quantity as text": {
		body:   item(`"productId":"a","quantity":"1"`),
		status: 400, fields: "#/items/0/quantity: expected integer",
	},
	"quantity a fraction": {
		body:   item(`"productId":"a","quantity":1.5`),
		status: 400, fields: "#/items/0/quantity: expected integer",
	},
	"product a number": {
		body:   item(`"productId":7,"quantity":1`),
		status: 400, fields: "#/items/0/productId: expected string",
	},
	"method a number": {
		body:   with("paymentMethod", `4242424242424242`),
		status: 400, fields: "#/paymentMethod: expected string",
	},
	"method null": {body: with("paymentMethod", `null`), status: 400, fields: "#/paymentMethod: expected string"},
	"deeply nested": {
		body:   strings.Repeat("[", 60000),
		status: 400, fields: "#: is not JSON: exceeded max depth, at byte 10000",
	},
	"an empty object": {body: `{}`, status: 422, fields: "#/items: is required; #/userId: is required"},
	"userId missing": {
		body:   `{"items":[{"productId":"a","quantity":1}]}`,
		status: 422, fields: "#/userId: is required",
	},
	"userId 0":        {body: with("userId", `0`), status: 422, fields: "#/userId: expected number >= 1"},
	"userId negative": {body: with("userId", `-1`), status: 422, fields: "#/userId: expected number >= 1"},
	"userId beyond 2^53": {
		body:   with("userId", `9007199254740993`),
		status: 422, fields: "#/userId: expected number <= 9.007199254740991e+15",
	},
	"userId enormous": {
		body:   with("userId", `99999999999999999999`),
		status: 422, fields: "#/userId: expected number <= 9.007199254740991e+15",
	},
	"items missing": {body: `{"userId":42}`, status: 422, fields: "#/items: is required"},
	"no items":      {body: with("items", `[]`), status: 422, fields: "#/items: expected array length >= 1"},
	"101 items": {
		body:   with("items", "["+strings.Repeat(`{"productId":"a","quantity":1},`, 100)+`{"productId":"a","quantity":1}]`),
		status: 422, fields: "#/items: expected array length <= 100",
	},
	"an empty item": {
		body:   with("items", `[{}]`),
		status: 422, fields: "#/items/0/productId: is required; #/items/0/quantity: is required",
	},
	"quantity 0": {
		body:   item(`"productId":"a","quantity":0`),
		status: 422, fields: "#/items/0/quantity: expected number >= 1",
	},
	"quantity negative": {
		body:   item(`"productId":"a","quantity":-2`),
		status: 422, fields: "#/items/0/quantity: expected number >= 1",
	},
	"quantity 10001": {
		body:   item(`"productId":"a","quantity":10001`),
		status: 422, fields: "#/items/0/quantity: expected number <= 10000",
	},
	"quantity of 2^63": {
		body:   item(`"productId":"a","quantity":9223372036854775808`),
		status: 422, fields: "#/items/0/quantity: expected number <= 10000",
	},
	"product empty": {
		body:   item(`"productId":"","quantity":1`),
		status: 422, fields: "#/items/0/productId: " + notProductID,
	},
	"product too long": {
		body:   item(`"productId":"` + strings.Repeat("a", 65) + `","quantity":1`),
		status: 422, fields: "#/items/0/productId: " + notProductID,
	},
	"product with a slash": {
		body:   item(`"productId":"../a","quantity":1`),
		status: 422, fields: "#/items/0/productId: " + notProductID,
	},
	"product with a NUL": {
		body:   item(`"productId":"a\u0000","quantity":1`),
		status: 422, fields: "#/items/0/productId: " + notProductID,
	},
	"product with a newline": {
		body:   item(`"productId":"a\n","quantity":1`),
		status: 422, fields: "#/items/0/productId: " + notProductID,
	},
	"a price": {
		body:   item(`"productId":"a","quantity":1,"price":1`),
		status: 422, fields: "#/items/0/price: unexpected property",
	},
	"a status": {
		body:   with("status", `"CONFIRMED"`),
		status: 422, fields: "#/status: unexpected property",
	},
	"an ID":    {body: with("id", `"x"`), status: 422, fields: "#/id: unexpected property"},
	"a schema": {body: with("$schema", `"x"`), status: 422, fields: "#/$schema: unexpected property"},
	"names in capitals": {
		body:   `{"USERID":42,"items":[{"productId":"a","quantity":1}]}`,
		status: 422, fields: "#/USERID: unexpected property; #/userId: is required",
	},
	"a card number": {
		body:   with("paymentMethod", `"4242424242424242"`),
		status: 422, fields: "#/paymentMethod: expected string to be a reference like pm_card_visa",
	},
	"an empty method": {
		body:   with("paymentMethod", `""`),
		status: 422, fields: "#/paymentMethod: expected string to be a reference like pm_card_visa",
	},
	"an empty key": {
		body: twoMugs, headers: []string{"Idempotency-Key: "},
		status: 422, fields: "Idempotency-Key: is empty",
	},
	"two keys": {
		body: twoMugs, headers: []string{"Idempotency-Key: a", "Idempotency-Key: b"},
		status: 422, fields: "Idempotency-Key: is given more than once",
	},
	"a key too long": {
		body: twoMugs, headers: []string{"Idempotency-Key: " + strings.Repeat("k", 256)},
		status: 422, fields: "Idempotency-Key: expected length <= 255",
	},
	"a key with a space": {
		body: twoMugs, headers: []string{"Idempotency-Key: a b"},
		status: 422, fields: `Idempotency-Key: expected string to be visible ASCII characters`,
	},
	"a key of umlauts": {
		body: twoMugs, headers: []string{"Idempotency-Key: schlüssel"},
		status: 422, fields: `Idempotency-Key: expected string to be visible ASCII characters`,
	},
	"a query": {
		request: "POST /orders?dryRun=true", body: twoMugs,
		status: 422, fields: "dryRun: unknown query parameter",
	},
	"a form": {
		body: twoMugs, headers: []string{"Content-Type: application/x-www-form-urlencoded"},
		status: 415,
	},
	"text":               {body: twoMugs, headers: []string{"Content-Type: text/plain"}, status: 415},
	"compressed":         {body: twoMugs, headers: []string{"Content-Encoding: gzip"}, status: 415},
	"too large":          {body: twoMugs + strings.Repeat(" ", 64<<10), status: 413},
	"PUT /orders":        {request: "PUT /orders", body: twoMugs, status: 405},
	"DELETE an order":    {request: "DELETE /orders/" + string(keyed), status: 405},
	"GET cancel":         {request: "GET /orders/" + string(keyed) + "/cancel", status: 405},
	"orders/":            {request: "GET /orders/", status: 404},
	"order":              {request: "GET /order", status: 404},
	"an ID that is none": {request: "GET /orders/1", status: 422, fields: "id: " + notOrderID},
	"an ID in capitals": {
		request: "GET /orders/CA086E36-0A97-814F-88AF-EFFABC0891C3",
		status:  422, fields: "id: " + notOrderID,
	},
	"an ID with SQL": {request: "GET /orders/'%20OR%201=1", status: 422, fields: "id: " + notOrderID},
	"limit 0":        {request: "GET /orders?limit=0", status: 422, fields: "limit: expected number >= 1"},
	"limit 101": {
		request: "GET /orders?limit=101",
		status:  422, fields: "limit: expected number <= 100",
	},
	"limit a word": {request: "GET /orders?limit=all", status: 422, fields: "limit: invalid integer"},
	"limit empty":  {request: "GET /orders?limit=", status: 422, fields: "limit: is empty"},
	"user empty":   {request: "GET /orders?userId=", status: 422, fields: "userId: is empty"},
	"no status":    {request: "GET /orders?status", status: 422, fields: "status: is empty"},
	"time and product empty": {
		request: "GET /orders?createdTo=&productId=",
		status:  422, fields: "createdTo: is empty; productId: is empty",
	},
	"limit twice": {
		request: "GET /orders?limit=1&limit=2",
		status:  422, fields: "limit: is given more than once",
	},
	"user 0":               {request: "GET /orders?userId=0", status: 422, fields: "userId: expected number >= 1"},
	"unknown status":       {request: "GET /orders?status=DONE", status: 422, fields: "status: " + notStatus},
	"status in lower case": {request: "GET /orders?status=pending", status: 422, fields: "status: " + notStatus},
	"no time": {
		request: "GET /orders?createdFrom=yesterday",
		status:  422, fields: "createdFrom: " + notTime,
	},
	"an hour of one digit": {
		request: "GET /orders?createdTo=2026-11-02T0:00:00Z",
		status:  422, fields: "createdTo: " + notTime,
	},
	"a month that is none": {
		request: "GET /orders?createdFrom=2026-13-01T00:00:00Z",
		status:  422, fields: "createdFrom: " + notTime,
	},
	"a time before all orders": {
		request: "GET /orders?createdFrom=0001-01-01T00:00:00Z", // Go's zero time: no time
		status:  422, fields: "createdFrom: must be a time in the years 1970 to 9999",
	},
	"a time after all orders": {
		request: "GET /orders?createdTo=9999-12-31T23:59:59-23:59",
		status:  422, fields: "createdTo: must be a time in the years 1970 to 9999",
	},
	"cursor empty":            {request: "GET /orders?cursor=", status: 422, fields: "cursor: is empty"},
	"an encoded slash":        {request: "GET /orders%2F" + string(keyed), status: 404},
	"an encoded slash inside": {request: "POST /orders/" + string(keyed) + "%2fcancel", status: 405},
	"time without an end": {
		request: "GET /orders?createdFrom=2026-11-02T00:00:00Z&createdTo=2026-11-02T00:00:00Z",
		status:  422, fields: "createdTo: is not after createdFrom",
	},
	"no product ID": {
		request: "GET /orders?productId=a%20b",
		status:  422, fields: "productId: " + notProductID,
	},
	"unknown parameter": {request: "GET /orders?page=2", status: 422, fields: "page: unknown query parameter"},
	"broken query":      {request: "GET /orders?status=%", status: 400},
	"a long cancel reason": {
		request: cancelKeyed, body: `{"reason":"` + strings.Repeat("ä", 121) + `"}`,
		status: 422, fields: "#/reason: expected length <= 120",
	},
	"a NUL in the reason": {
		request: cancelKeyed, body: `{"reason":"\u0000"}`,
		status: 422, fields: `#/reason: must not have the control character U+0000`,
	},
	"escape codes in the reason": {
		request: cancelKeyed, body: `{"reason":"\u001b[2J"}`,
		status: 422, fields: `#/reason: must not have the control character U+001B`,
	},
	"a reason of blanks": {
		request: cancelKeyed, body: `{"reason":" \u00a0"}`,
		status: 422, fields: `#/reason: must not be blank`,
	},
	"an empty reason": {
		request: cancelKeyed, body: `{"reason":""}`,
		status: 422, fields: `#/reason: expected length >= 1`,
	},
	"a reason null": {request: cancelKeyed, body: `{"reason":null}`, status: 400, fields: "#/reason: expected string"},
	"cancel with a sender": {
		request: cancelKeyed, body: `{"by":"operator"}`,
		status: 422, fields: "#/by: unexpected property",
	},
}

// with is an order with one member set to a JSON value.
func with(member, value string) string {
	var o map[string]json.RawMessage
	if err := json.Unmarshal([]byte(twoMugs), &o); err != nil {
		panic(err)
	}
	o[member] = json.RawMessage(value)
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// item is an order of one item with these members.
func item(members string) string { return with("items", "[{"+members+"}]") }

func TestMalformedRequestsAreRefusedExactly(t *testing.T) {
	t.Parallel()
	for name, test := range malformed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTestAPI(t, confirms)
			request := test.request
			if request == "" {
				request = "POST /orders"
			}
			method, path, _ := strings.Cut(request, " ")
			got := api.send(t, method, path, test.body, test.headers...)
			fields, kind := fieldsOf(t, got), problem.ForStatus(test.status).URI()
			if got.status != test.status || got.body["status"] != float64(test.status) || got.body["type"] != kind ||
				got.body["instance"] != "test-1" {
				t.Errorf("got %d %s, want %d %s", got.status, got.raw, test.status, kind)
			}
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			got.wantHeader(t, "Content-Type", "application/problem+json")
			if len(api.engine.started) != 0 {
				t.Error("the API placed an order")
			}
		})
	}
}
