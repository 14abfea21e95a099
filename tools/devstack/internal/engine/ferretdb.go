package engine

import (
	"context"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/v2/ferretdb"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
)

// runFerretDB speaks MongoDB's wire protocol, without authentication: it listens on loopback only.
func runFerretDB(ctx context.Context, s embedded.FerretDBSettings) error {
	telemetry := false
	f, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: s.PostgresURL, ListenAddr: s.Listen, StateDir: s.StateDir,
		LogLevel: slog.LevelWarn, LogOutput: os.Stderr, Telemetry: &telemetry,
	})
	if err != nil {
		return err
	}
	slog.Info("FerretDB is running", "address", s.Listen)
	f.Run(ctx)
	return nil
}
