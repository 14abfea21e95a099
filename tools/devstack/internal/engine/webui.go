package engine

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// runWebUI serves Temporal's Web UI, over plain HTTP.
func runWebUI(ctx context.Context) error {
	port, err := strconv.Atoi(os.Getenv("TEMPORAL_UI_PORT"))
	if err != nil {
		return fmt.Errorf("TEMPORAL_UI_PORT: %w", err)
	}
	ui := server.NewServer(server_options.WithConfigProvider(&config.Config{
		Host: os.Getenv("TEMPORAL_UI_HOST"), Port: port, TemporalGRPCAddress: os.Getenv("TEMPORAL_ADDRESS"),
		EnableUI: true, DefaultNamespace: "default",
		DisableNewsFetch: true,
		HideLogs:         true,
		// Plain HTTP on loopback: the browser would never send back a cookie for HTTPS only, and the UI would refuse every action.
		CORS: config.CORS{CookieInsecure: true},
	}))
	stopped := context.AfterFunc(ctx, ui.Stop)
	defer stopped()
	return ui.Start()
}
