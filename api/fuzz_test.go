package api

import (
	"net/url"
	"strings"
	"testing"
)

// These tests send anything to an operation. The response is never a 500, and an error is always a documented problem: send
// checks responses against the document.

func neverBroken(t *testing.T, got response) {
	t.Helper()
	if got.status >= 500 || got.status < 200 || got.status >= 300 && got.status != 304 && got.body["type"] == nil {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

// sendable reports whether HTTP allows a header with this value.
func sendable(value string) bool { return !strings.ContainsAny(value, "\r\n\x00") }

// FuzzPlace is about POST /orders.
func FuzzPlace(f *testing.F) {
	for _, test := range malformed {
		if test.request == "" {
			f.Add(test.body, "k", "wait=1")
		}
	}
	f.Add(twoMugs, "k", "respond-async")
	api := newTestAPI(f, sleeps)
	f.Fuzz(func(t *testing.T, body, key, prefer string) {
		neverBroken(t, api.send(t, "POST", "/orders", body, "Idempotency-Key: "+key, "Prefer: "+prefer))
	})
}

// FuzzCancel is about POST /orders/{id}/cancel.
func FuzzCancel(f *testing.F) {
	for _, test := range malformed {
		f.Add(string(keyed), test.body)
	}
	f.Add(string(keyed), `{"reason":"ordered twice"}`)
	f.Add("../orders", "")
	api := newTestAPI(f, sleeps)
	api.send(f, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	f.Fuzz(func(t *testing.T, id, body string) {
		if id == "" || strings.Contains(id, "/") {
			t.Skip("another path")
		}
		neverBroken(t, api.send(t, "POST", "/orders/"+url.PathEscape(id)+"/cancel", body))
	})
}

// FuzzList is about GET /orders.
func FuzzList(f *testing.F) {
	for _, test := range malformed {
		if _, query, ok := strings.Cut(test.request, "?"); ok {
			f.Add(query)
		}
	}
	f.Add("cursor=MTc2MjAwMDAwMDAwMDAwMCBj&limit=3")
	f.Add("createdFrom=2026-11-01T00:00:00Z&createdTo=0001-01-01T00:00:00Z&userId=9223372036854775807")
	api := newTestAPI(f, confirms)
	f.Fuzz(func(t *testing.T, query string) {
		u := url.URL{Path: "/orders", RawQuery: query}
		if _, err := url.ParseRequestURI(u.String()); err != nil || strings.ContainsAny(query, " #\x7f") || !sendable(query) {
			t.Skip("HTTP itself rejects it")
		}
		neverBroken(t, api.send(t, "GET", u.String(), ""))
	})
}

// FuzzRead is about the operations on one order: GET /orders/{id} and what is below it.
func FuzzRead(f *testing.F) {
	f.Add(string(keyed), `"1"`, "1")
	f.Add(string(keyed), `W/"1", *`, "")
	f.Add("CA086E36-0A97-814F-88AF-EFFABC0891C3", "", "x")
	f.Add("' OR 1=1", ",,\"", "-1")
	api := newTestAPI(f, confirms)
	f.Fuzz(func(t *testing.T, id, tag, last string) {
		if id == "" || strings.Contains(id, "/") || !sendable(tag) || !sendable(last) {
			t.Skip("another path, or no header")
		}
		path := "/orders/" + url.PathEscape(id)
		neverBroken(t, api.send(t, "GET", path, "", "If-None-Match: "+tag))
		neverBroken(t, api.send(t, "GET", path+"/timeline", ""))
		neverBroken(t, api.send(t, "GET", path+"/events", "", "Last-Event-ID: "+last)) // there is no order: no stream begins
	})
}
