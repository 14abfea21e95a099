package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profile starts to take CPU profiles of worker and api, if they are wanted and this is a turn for it, and returns what
// waits for them. See canProfile.
func (s *stack) profile(ctx context.Context, m mode, length time.Duration, round int) (wait func() error) {
	none := func() error { return nil }
	address, program := s.c.WorkerPprof, "worker"
	if m.name == "http" {
		address, program = s.c.APIPprof, "api"
	}
	if s.o.profile == "" || m.name != "fast" && m.name != "http" {
		return none
	}
	file := filepath.Join(s.o.profile, fmt.Sprintf("%s-%d.pprof", program, round+1))
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, max(1, int(length.Seconds())))
	done := make(chan error, 1)
	go func() { done <- s.download(ctx, url, file) }()
	return func() error { return <-done } // bounded by callTimeout
}

func (s *stack) download(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("take a profile: %s answered %s", url, res.Status)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}
