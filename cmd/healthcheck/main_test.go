package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyA200IsHealthy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			http.Error(w, "PostgreSQL is away", http.StatusServiceUnavailable)
		}
	}))
	if err := run([]string{server.URL + "/readyz"}); err != nil {
		t.Error(err)
	}
	if err := run([]string{server.URL + "/other"}); err == nil || !strings.Contains(err.Error(), "PostgreSQL is away") {
		t.Errorf("a 503 gives %v, which must name what is not ready", err)
	}
	server.Close()
	if err := run([]string{server.URL + "/readyz"}); err == nil {
		t.Error("a server that is gone counts as healthy")
	}
	if err := run(nil); err == nil {
		t.Error("a missing URL is accepted")
	}
}
