// Package pgdb opens PostgreSQL databases and migrates their schemas.
package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// connectTimeout bounds the opening of one connection.
	connectTimeout = 5 * time.Second
	// minPool is the smallest limit of a pool's connections, unless the URL sets one by pool_max_conns. With the library's
	// default, the number of CPUs, calls queue for connections long before PostgreSQL is busy.
	minPool = 16
	// migrateTimeout bounds a migration, including the wait for another program's.
	migrateTimeout = 5 * time.Minute
)

// Open returns a pool for the database at url (postgres://user:password@host:port/name). It does not connect: while a
// database is down, calls fail, but the program starts. The URL may set the pool's size (?pool_max_conns=32). Errors do not
// show the password. The caller closes the pool.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, hideURL(err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = max(config.MaxConns, minPool)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", config.ConnConfig.Database, err)
	}
	return pool, nil
}

// hideURL replaces a parse error, which could contain the password.
func hideURL(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the database URL cannot be parsed: want postgres://user:password@host:port/name")
	}
	return err
}

// Collect runs a query on a pool or in a transaction and reads all its rows.
func Collect[T any](
	ctx context.Context, db interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}, scan pgx.RowToFunc[T], sql string, args ...any,
) ([]T, error) {
	rows, _ := db.Query(ctx, sql, args...) // CollectRows returns its error
	return pgx.CollectRows(rows, scan)
}

// Migrate applies the migrations (goose SQL files in the folder migrations of fsys) that the schema does not have yet. An
// advisory lock makes programs that start at the same time wait for each other.
func Migrate(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	// Try every second: with goose's default of 5 s, the second of two programs would start 5 s later.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(migrateTimeout/time.Second)))
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	files, err := fs.Sub(fsys, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// ErrOutdated means that a schema lacks migrations that the caller needs.
var ErrOutdated = errors.New("the schema is not up to date yet")

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

// PostgreSQL's error codes, from the appendix of its manual.
const (
	undefinedTable        = "42P01"
	insufficientPrivilege = "42501"
)

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
