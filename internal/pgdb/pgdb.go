// Package pgdb opens PostgreSQL databases and brings their schema up to date.
package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// connectTimeout bounds the making of one connection.
	connectTimeout = 5 * time.Second
	// minPool is how many connections a pool may open when the URL does not ask for more by pool_max_conns. The
	// library's default, the number of CPUs, lets calls queue for connections long before PostgreSQL is busy.
	minPool = 16
	// migrateTimeout bounds a migration, waiting for another program's included.
	migrateTimeout = 5 * time.Minute
)

// Open returns a pool for the database at url (postgres://user:password@host:port/name). It does not connect: a
// database that is down makes calls fail, not the program. The URL may set the pool's size (?pool_max_conns=32).
// Errors do not show the password. The caller closes the pool.
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

// hideURL drops everything of a parse error that could hold a password.
func hideURL(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the database URL cannot be parsed: want postgres://user:password@host:port/name")
	}
	return err
}

// Migrate brings the schema up to the newest of the migrations (goose SQL files at the root of fsys). Programs that
// start at the same time wait for each other by an advisory lock; a schema that is up to date is left alone.
func Migrate(ctx context.Context, pool *pgxpool.Pool, fsys fs.FS) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	// Every second, where goose's default of every 5 s would make the second of two programs start 5 s later.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(migrateTimeout/time.Second)))
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, fsys, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// ErrOutdated is returned by Current while a schema has not been migrated as far as the caller needs it.
var ErrOutdated = errors.New("the schema is not up to date yet")

// Current reports whether the schema has all of the migrations: nil, ErrOutdated, or why that cannot be told. It only
// reads, for programs that use a schema that another one migrates.
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
	files, err := fs.Glob(fsys, "*.sql")
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
