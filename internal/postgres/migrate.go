package postgres

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate creates the orders' schema or brings it up to date. Programs that start at the same time wait for each other.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pgdb.Migrate(ctx, pool, migrations)
}

// Ready returns an error while the database cannot be reached, or while its schema is older than this program needs: the
// worker has not migrated it yet.
func (s *Orders) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := pgdb.Current(ctx, s.pool, migrations); err != nil {
		return fmt.Errorf("the orders' database: %w", err)
	}
	return nil
}
