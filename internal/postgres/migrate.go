package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations are the goose files of the orders' schema.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// Migrate brings the orders' schema up to date. Programs that start at the same time wait for each other.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return pgdb.Migrate(ctx, pool, Migrations())
}

// Ready reports an error while the database cannot be reached or its schema is older than this program's: the worker
// has not migrated it yet.
func (s *Orders) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := pgdb.Current(ctx, s.pool, Migrations()); err != nil {
		return fmt.Errorf("the orders' database: %w", err)
	}
	return nil
}
