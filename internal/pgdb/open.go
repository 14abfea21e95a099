package pgdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// Limits of a pool. The URL may set others.
const (
	// connectTimeout bounds the opening of one connection.
	connectTimeout = 5 * time.Second
	// pingTimeout bounds the proof that a session lives, before it is used after a pause. A session whose server vanished
	// costs a call no more than this.
	pingTimeout = time.Second
	// minPool is the smallest limit of a pool's connections. With the library's default, the number of CPUs, calls queue for
	// connections long before PostgreSQL is busy.
	minPool = 16
	// Sessions are replaced every few minutes, so that none outlives a failover, a new password or a new setting by long.
	// Opening one takes some milliseconds.
	lifetime, lifetimeJitter = 5 * time.Minute, time.Minute
	idleTime                 = 2 * time.Minute
)

// DB is a pool of sessions of one database. The caller closes it.
//
// When PostgreSQL tells a session that it is of no more use (its server shuts down, or has become read-only after a
// failover), the session is closed, and all other sessions of the pool with it: they are of the same server. The next call
// opens another.
type DB struct {
	*pgxpool.Pool

	writes bool
	recent readiness.Recent // what statements were told
}

// Open returns the database at url (postgres://user:password@host:port/name) for a program that writes: each session proves
// that it can write before it is used. If the URL names several hosts, the first that can write is used.
//
// Open does not connect: while a database is down, calls fail, but the program starts. Errors do not show the password.
func Open(ctx context.Context, url string) (*DB, error) { return open(ctx, url, true) }

// OpenReader is Open for a program that only reads.
func OpenReader(ctx context.Context, url string) (*DB, error) { return open(ctx, url, false) }

func open(ctx context.Context, url string, writes bool) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, hideURL(err)
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	unlessSet := func(name string, set func()) {
		if !strings.Contains(url, name) {
			set()
		}
	}
	unlessSet("pool_max_conns", func() { config.MaxConns = max(config.MaxConns, minPool) })
	unlessSet("pool_max_conn_lifetime=", func() { config.MaxConnLifetime = lifetime })
	unlessSet("pool_max_conn_lifetime_jitter", func() { config.MaxConnLifetimeJitter = lifetimeJitter })
	unlessSet("pool_max_conn_idle_time", func() { config.MaxConnIdleTime = idleTime })
	unlessSet("pool_ping_timeout", func() { config.PingTimeout = pingTimeout })
	db := &DB{writes: writes}
	if writes {
		unlessSet("target_session_attrs", func() {
			config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		})
	}
	var pool atomic.Pointer[pgxpool.Pool] // sessions may be opened before NewWithConfig returns
	config.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithDisableConnectionDetailsInAttributes())
	usable := config.ConnConfig.OnPgError
	config.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if p := outOfResources(err); p != "" {
			db.recent.Note(p)
		}
		if !endsSession(err) {
			return usable(conn, err)
		}
		if pool := pool.Load(); pool != nil {
			pool.Reset()
		}
		return false
	}
	if db.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open the database %s: %w", config.ConnConfig.Database, err)
	}
	pool.Store(db.Pool)
	if err := otelpgx.RecordStats(db.Pool); err != nil {
		db.Close()
		return nil, fmt.Errorf("measure the pool of the database %s: %w", config.ConnConfig.Database, err)
	}
	return db, nil
}

// hideURL replaces a parse error, which could contain the password.
func hideURL(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the database URL cannot be parsed: want postgres://user:password@host:port/name")
	}
	return err
}

// What /readyz says about a database that responds.
const (
	ReadOnly = readiness.Problem("read-only")
	DiskFull = readiness.Problem("disk full")
	Short    = readiness.Problem("short of memory, connections or another resource")
)

// Ready returns nil if the program can work with the database, otherwise why not: a readiness.Problem where the database
// itself says so. It costs one round trip.
func (d *DB) Ready(ctx context.Context) error {
	if err := d.recent.Err(); err != nil {
		return err
	}
	var readOnly string
	err := d.QueryRow(ctx, "SELECT current_setting('transaction_read_only')").Scan(&readOnly)
	switch {
	case errors.Is(err, pgconn.ErrReadOnlyConnection), err == nil && d.writes && readOnly == "on":
		return ReadOnly
	case err != nil:
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}
