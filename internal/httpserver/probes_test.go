package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/readiness"
)

func TestReadinessSaysWhatCannotBeDoneAndNothingElse(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`200 {"postgres":"ok"}`:          nil,
		`503 {"postgres":"unavailable"}`: errors.New("password=hunter2 refused"),
		`503 {"postgres":"disk full"}`:   fmt.Errorf("host db-1: %w", readiness.Problem("disk full")),
	} {
		probes := httpserver.Probes(map[string]httpserver.Check{"postgres": func(context.Context) error { return err }}, discard)
		w := httptest.NewRecorder()
		probes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want+"\n" {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}
