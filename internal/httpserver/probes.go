package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/internal/readiness"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// Check returns an error if something that a program needs is not available. /readyz shows the text of a readiness.Problem; any
// other error is only logged.
type Check func(ctx context.Context) error

// Probes serves GET /livez (the process runs) and GET /readyz (200 if every check passes, otherwise 503), and the
// program's metrics at GET /metrics. The response of /readyz says of each check "ok", what cannot be done, or "unavailable". The
// checks run at most once a second, however often /readyz is requested.
func Probes(checks map[string]Check, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", telemetry.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	ready := &checkup{checks: checks, log: log, turn: make(chan struct{}, 1)}
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, code := ready.now(), http.StatusOK
		for _, said := range status {
			if said != statusOK {
				code = http.StatusServiceUnavailable
			}
		}
		respond(w, code, status)
	})
	return mux
}

// What /readyz says of a check, besides a readiness.Problem.
const (
	statusOK          = "ok"
	statusUnavailable = "unavailable"
)

// checkup remembers the results of the checks for a short time.
type checkup struct {
	checks map[string]Check
	log    *slog.Logger

	turn chan struct{} // full while the checks run: simultaneous probes wait for one run
	at   time.Time     // when they ended
	was  map[string]string
}

// readyFor is how long the results of the checks count.
const readyFor = time.Second

// now says how each check went.
func (r *checkup) now() map[string]string {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.was == nil || time.Since(r.at) >= readyFor {
		r.was = run(context.Background(), r.checks, r.log) // not the probe's: others wait for it too
		r.at = time.Now()
	}
	return r.was
}

// checkTimeout bounds the checks, so that the response arrives before the prober gives up.
const checkTimeout = 2 * time.Second

func run(ctx context.Context, checks map[string]Check, log *slog.Logger) map[string]string {
	type result struct {
		name string
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make(chan result, len(checks))
	for name, check := range checks {
		go func() { results <- result{name, check(ctx)} }()
	}
	status := map[string]string{}
	for range checks {
		r := <-results
		status[r.name] = said(r.err)
		if r.err != nil {
			log.Warn("not ready", "check", r.name, "error", r.err.Error())
		}
	}
	return status
}

func said(err error) string {
	var problem readiness.Problem
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &problem):
		return string(problem)
	}
	return statusUnavailable
}

func respond(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // it fails only if the prober went away
}
