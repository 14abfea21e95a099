package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"
)

// profiling configures the Go profiles that every program serves on request.
type profiling struct {
	Addr string `env:"PPROF_ADDR" help:"loopback host:port to serve Go profiles on (/debug/pprof/); none when empty"`
}

// Validate refuses addresses that others could reach: profiles show what a program does, and can slow it down.
func (p profiling) Validate() error {
	if p.Addr == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(p.Addr)
	if err != nil || !a.Addr().IsLoopback() {
		return errors.New("PPROF_ADDR: want a loopback address with a port, for example 127.0.0.1:6060")
	}
	return nil
}

// start serves profiles until the caller calls stop, which waits for the server to end.
func (p profiling) start(ctx context.Context, log *slog.Logger) (stop func(), err error) {
	if p.Addr == "" {
		return func() {}, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", p.Addr)
	if err != nil {
		return nil, fmt.Errorf("serve profiles (PPROF_ADDR): %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("serving profiles", "addr", listener.Addr().String())
	return func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) { // Close makes Serve return
			log.Warn("the profiles' server failed", "error", err.Error())
		}
	}, nil
}
