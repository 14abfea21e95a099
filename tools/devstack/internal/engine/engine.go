// Package engine runs the services that are compiled into devstack (see services.EngineCommand), each in a separate process.
// They send nothing to the outside: telemetry, news and version checks are off.
package engine

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/services"
)

// Run runs the named service, with the settings in the environment, until SIGTERM.
func Run(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch name {
	case services.FerretDB:
		return runFerretDB(ctx)
	case services.Temporal:
		return runTemporal(ctx)
	case services.WebUI:
		return runWebUI(ctx)
	}
	return fmt.Errorf("there is no service %q", name)
}
