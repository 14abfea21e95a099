// Package engine runs the services that are compiled into devstack (see package embedded), each in a separate process. They send
// nothing to the outside: telemetry, news and version checks are off.
package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
)

// Run runs the named service with the JSON of its settings until SIGTERM.
func Run(name, settings string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch name {
	case embedded.FerretDB:
		return run(ctx, settings, runFerretDB)
	case embedded.Temporal:
		return run(ctx, settings, runTemporal)
	case embedded.WebUI:
		return run(ctx, settings, runWebUI)
	}
	return fmt.Errorf("there is no service %q", name)
}

func run[S any](ctx context.Context, encoded string, service func(context.Context, S) error) error {
	var settings S
	if err := json.Unmarshal([]byte(encoded), &settings); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return service(ctx, settings)
}
