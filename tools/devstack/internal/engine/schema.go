package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/server/common/config"
	schema "go.temporal.io/server/schema/postgresql/v12"
	schematool "go.temporal.io/server/tools/sql"
)

// migrateSchemas creates or updates the schemas of Temporal's two databases with the server's own tool.
func migrateSchemas(cfg *config.Config) error {
	stores := cfg.Persistence
	return errors.Join(
		migrateSchema(stores.DataStores[stores.DefaultStore].SQL, "postgresql/v12/temporal", schema.Version),
		migrateSchema(stores.DataStores[stores.VisibilityStore].SQL, "postgresql/v12/visibility", schema.VisibilityVersion),
	)
}

func migrateSchema(store *config.SQL, name, wanted string) error {
	version, err := schemaVersion(store)
	if err != nil {
		return fmt.Errorf("version of database %s: %w", store.DatabaseName, err)
	}
	if version == wanted {
		return nil
	}
	host, port, err := net.SplitHostPort(store.ConnectAddr)
	if err != nil {
		return err
	}
	tool := []string{
		"temporal-sql-tool", "--plugin", store.PluginName, "--endpoint", host, "--port", port,
		"--user", store.User, "--password", store.Password, "--database", store.DatabaseName,
	}
	if version == "" {
		if err := schematool.RunTool(append(tool, "setup-schema", "--version", "0.0")); err != nil {
			return fmt.Errorf("set up database %s: %w", store.DatabaseName, err)
		}
	}
	if err := schematool.RunTool(append(tool, "update-schema", "--schema-name", name)); err != nil {
		return fmt.Errorf("update database %s: %w", store.DatabaseName, err)
	}
	return nil
}

// schemaVersion returns the version of a database's schema, or "" when the database is empty.
func schemaVersion(store *config.SQL) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(store.User, store.Password), Host: store.ConnectAddr,
		Path: "/" + store.DatabaseName, RawQuery: "sslmode=disable",
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var version string
	err = conn.QueryRow(ctx, "SELECT curr_version FROM schema_version WHERE db_name = $1", store.DatabaseName).Scan(&version)
	var refused *pgconn.PgError
	const undefinedTable = "42P01"
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refused) && refused.Code == undefinedTable {
		return "", nil
	}
	return version, err
}
