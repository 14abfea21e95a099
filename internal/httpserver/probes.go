package httpserver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// Check returns an error if something that a program needs is not available.
type Check func(ctx context.Context) error

// Probes serves GET /livez (the process runs) and GET /readyz (200 if every check passes, otherwise 503). The response names
// the failed checks; their errors are only logged. The checks run at most once a second, however often /readyz is requested.
func Probes(checks map[string]Check, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	ready := &readiness{checks: checks, log: log, turn: make(chan struct{}, 1)}
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, code := map[string]string{}, http.StatusOK
		for name, ok := range ready.now() {
			status[name] = "ok"
			if !ok {
				status[name], code = "unavailable", http.StatusServiceUnavailable
			}
		}
		respond(w, code, status)
	})
	return mux
}

// readiness remembers the results of the checks for a short time.
type readiness struct {
	checks map[string]Check
	log    *slog.Logger

	turn chan struct{} // full while the checks run: simultaneous probes wait for one run
	at   time.Time     // when they ended
	was  map[string]bool
}

// readyFor is how long the results of the checks count.
const readyFor = time.Second

// now returns which checks pass.
func (r *readiness) now() map[string]bool {
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

func run(ctx context.Context, checks map[string]Check, log *slog.Logger) map[string]bool {
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
	ok := map[string]bool{}
	for range checks {
		r := <-results
		ok[r.name] = r.err == nil
		if r.err != nil {
			log.Warn("not ready", "check", r.name, "error", r.err.Error())
		}
	}
	return ok
}

func respond(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // it fails only if the prober went away
}
