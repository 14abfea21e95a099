// Package httpserver runs an HTTP server until its requests are drained, and serves probes.
package httpserver

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of every server. WriteTimeout is longer than the longest wait of any handler (60 s, by Prefer: wait in the api).
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 15 * time.Second
	WriteTimeout      = 90 * time.Second
	IdleTimeout       = 2 * time.Minute
	MaxHeaderBytes    = 16 << 10
	DrainTimeout      = 20 * time.Second // for the requests that run when ctx is done
)

// TLS is a server's certificate. Without one the server speaks plain HTTP, and a proxy can provide HTTPS.
type TLS struct {
	CertFile string `env:"TLS_CERT_FILE" help:"PEM file with the certificate chain; turns on HTTPS (TLS 1.2 or later)"`
	KeyFile  string `env:"TLS_KEY_FILE" help:"PEM file with the certificate's private key"`
}

// Validate rejects a certificate without a key and a key without a certificate.
func (t TLS) Validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("TLS_CERT_FILE, TLS_KEY_FILE: want both or neither")
	}
	return nil
}

// config returns nil for plain HTTP.
func (t TLS) config() (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS_CERT_FILE, TLS_KEY_FILE: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// Serve listens on addr and serves handler until ctx is done, over HTTPS if there is a certificate. Then it stops accepting
// connections and waits up to DrainTimeout for the running requests.
func Serve(ctx context.Context, addr string, certificate TLS, handler http.Handler, log *slog.Logger) error {
	secure, err := certificate.config()
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		TLSConfig:         secure,
	}
	log.Info("listening", "addr", listener.Addr().String(), "tls", secure != nil)
	served := make(chan error, 1)
	go func() {
		if secure != nil {
			served <- server.ServeTLS(listener, "", "") // TLSConfig has the certificate
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", addr, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	err = server.Shutdown(drain)
	if closed := <-served; !errors.Is(closed, http.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	if err != nil {
		return fmt.Errorf("drain %s: %w", addr, err)
	}
	return nil
}

// Check returns an error if something that a program needs is not available.
type Check func(ctx context.Context) error

// Probes serves GET /livez (the process runs) and GET /readyz (200 if every check passes, otherwise 503). The response names
// the failed checks; their errors are only logged.
func Probes(checks map[string]Check, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, code := map[string]string{}, http.StatusOK
		for name, ok := range run(r.Context(), checks, log) {
			status[name] = "ok"
			if !ok {
				status[name], code = "unavailable", http.StatusServiceUnavailable
			}
		}
		respond(w, code, status)
	})
	return mux
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
