package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"
)

// describe says what is measured on. Whether PostgreSQL writes through to the disk decides what the figures are worth,
// so it is asked.
func (s *stack) describe(ctx context.Context) (Machine, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m := Machine{CPUs: runtime.NumCPU(), Model: cpuModel(), LoadBefore: loadAverage(), Go: runtime.Version()}
	info, err := s.temporal.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{})
	if err != nil {
		return m, fmt.Errorf("ask Temporal for its version: %w", err)
	}
	m.Temporal = info.GetServerVersion()
	conn, err := pgx.Connect(ctx, s.c.DatabaseURL)
	if err != nil {
		return m, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	const settings = `SELECT split_part(current_setting('server_version'), ' ', 1),
		current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'`
	if err := conn.QueryRow(ctx, settings).Scan(&m.PostgreSQL, &m.Fsync); err != nil {
		return m, fmt.Errorf("ask PostgreSQL for its settings: %w", err)
	}
	return m, nil
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// loadAverage is the machine's load over the last minute.
func loadAverage() float64 {
	var load float64
	text, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(string(text), &load)
	return load
}
