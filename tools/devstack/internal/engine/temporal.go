package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	_ "time/tzdata" // schedules name time zones, and the root file system has none

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the PostgreSQL store
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// runTemporal brings the schema up to date and runs the server.
func runTemporal(ctx context.Context) error {
	cfg, err := config.Load(config.WithConfigFile(os.Getenv("TEMPORAL_SERVER_CONFIG_FILE_PATH")))
	if err != nil {
		return err
	}
	if err := migrateSchemas(cfg); err != nil {
		return fmt.Errorf("database schema: %w", err)
	}
	interrupt := make(chan any, 1)
	stop := context.AfterFunc(ctx, func() { interrupt <- "stop" })
	defer stop()
	server, err := temporal.NewServer(
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithConfig(cfg),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(cfg.Log))),
		temporal.WithStaticHosts(hosts(cfg)),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.InterruptOn(interrupt),
	)
	if err != nil {
		return err
	}
	return server.Start()
}

// hosts returns the address of each of the server's services. There is one of each, so they need not look for each other, which
// saves the membership ports and some seconds at start.
func hosts(cfg *config.Config) map[primitives.ServiceName]static.Hosts {
	all := map[primitives.ServiceName]static.Hosts{}
	for name, service := range cfg.Services {
		address := net.JoinHostPort(service.RPC.BindOnIP, strconv.Itoa(service.RPC.GRPCPort))
		all[primitives.ServiceName(name)] = static.SingleLocalHost(address)
	}
	return all
}
