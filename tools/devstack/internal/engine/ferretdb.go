package engine

import (
	"context"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

// runFerretDB speaks MongoDB's wire protocol, without authentication: it listens on loopback only.
func runFerretDB(ctx context.Context) error {
	telemetry := false
	f, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: os.Getenv("FERRETDB_POSTGRESQL_URL"), ListenAddr: os.Getenv("FERRETDB_LISTEN_ADDR"),
		StateDir: os.Getenv("FERRETDB_STATE_DIR"),
		LogLevel: slog.LevelWarn, LogOutput: os.Stderr, Telemetry: &telemetry,
	})
	if err != nil {
		return err
	}
	slog.Info("FerretDB is running", "address", os.Getenv("FERRETDB_LISTEN_ADDR"))
	f.Run(ctx)
	return nil
}
