// Package httpserver runs an HTTP server until its requests are drained, and serves probes.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/telemetry"
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

// Serve listens on addr and serves handler until ctx is done, over HTTPS if there is a certificate. Then it stops accepting
// connections and waits up to DrainTimeout for the running requests. It loads the certificate again when its files change.
func Serve(ctx context.Context, addr string, certificate TLS, handler http.Handler, log *slog.Logger) error {
	pair, err := certificate.load(log)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	server := &http.Server{
		Handler:           telemetry.Server(closeAmbiguous(handler)),
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		TLSConfig:         pair.config(),
	}
	var owned sync.WaitGroup
	defer owned.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	owned.Go(func() { pair.watch(watching) })
	log.Info("listening", "addr", listener.Addr().String(), "tls", pair != nil)
	served := make(chan error, 1)
	go func() {
		if pair != nil {
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

// closeAmbiguous ends the connection after a request whose end a proxy could see elsewhere: one whose body comes in chunks,
// and every request of HTTP/1.0. Otherwise what the proxy takes for a body could begin another client's request. (A header
// Content-Length beside Transfer-Encoding would be a sign of that, but net/http removes it before a handler sees it.)
func closeAmbiguous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
