// Package pgdb opens PostgreSQL databases and brings their schema up to date.
package pgdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// connectTimeout bounds the making of one connection.
const connectTimeout = 5 * time.Second

// Open returns a pool for the database at url (postgres://user:password@host:port/name). It does not connect: a
// database that is down makes calls fail, not the program. Errors do not show the password.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, hideURL(err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
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
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	return migrate(ctx, db, fsys, locker)
}

func migrate(ctx context.Context, db *sql.DB, fsys fs.FS, locker lock.SessionLocker) error {
	provider, err := goose.NewProvider(goose.DialectPostgres, db, fsys, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
