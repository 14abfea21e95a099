// Package pgdb opens PostgreSQL databases and migrates their schemas.
package pgdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// migrateTimeout bounds a migration, including the wait for another program's.
const migrateTimeout = 5 * time.Minute

// Collect runs a query on a pool or in a transaction and reads all its rows.
func Collect[T any](
	ctx context.Context, db interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}, scan pgx.RowToFunc[T], sql string, args ...any,
) ([]T, error) {
	rows, _ := db.Query(ctx, sql, args...) // CollectRows returns its error
	return pgx.CollectRows(rows, scan)
}

// JSON returns v as a parameter of a statement that casts it ($1::jsonb). The driver would encode v itself, but only where it
// asks the server for the types of parameters, which not every way of sending statements does (default_query_exec_mode). v is
// made of structs, maps, strings, numbers and times, which can always be marshaled.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err))
	}
	return string(b)
}

// Migrate applies the migrations (goose SQL files in the folder migrations of fsys) that the schema does not have yet.
// Programs that start at the same time wait for each other.
func Migrate(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	files, err := fs.Sub(fsys, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	// The lock belongs to a transaction that stays open beside the migrations. A session's lock, which goose offers, would not
	// work through a pooler that gives each transaction another session.
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		_, err := provider.Up(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// migrationLock is the key of the advisory lock that migrations hold. It means nothing.
const migrationLock = 7_306_172_401

// ErrOutdated means that a schema lacks migrations that the caller needs.
const ErrOutdated = readiness.Problem("the schema is not up to date yet")

// Current checks that the schema has all migrations of fsys. It returns nil, ErrOutdated, or the reason why it cannot tell. It only
// reads: it is for programs that use a schema which another program migrates.
func Current(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS) error {
	want, err := newest(fsys)
	if err != nil {
		return err
	}
	var have int64
	err = pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version").Scan(&have)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == undefinedTable || pgErr.Code == insufficientPrivilege) {
		return ErrOutdated // the table, or the right to read it, comes with the first migration
	}
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have < want {
		return fmt.Errorf("%w: version %d, want %d", ErrOutdated, have, want)
	}
	return nil
}

// newest returns the highest version among the migrations.
func newest(fsys fs.FS) (int64, error) {
	files, err := fs.Glob(fsys, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	var highest int64
	for _, f := range files {
		version, err := goose.NumericComponent(f)
		if err != nil {
			return 0, fmt.Errorf("read the migrations: %s: %w", f, err)
		}
		highest = max(highest, version)
	}
	return highest, nil
}
