package engine

import (
	"context"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
)

// runWebUI serves Temporal's Web UI, over plain HTTP.
func runWebUI(ctx context.Context, s embedded.WebUISettings) error {
	ui := server.NewServer(server_options.WithConfigProvider(&config.Config{
		Host: s.Host, Port: s.Port, TemporalGRPCAddress: s.TemporalAddress,
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
