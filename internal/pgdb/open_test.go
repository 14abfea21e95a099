package pgdb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// After a failover a pool is full of sessions of a server that has become read-only. The first write that is told so is the
// last.
func TestSessionsThatHaveBecomeReadOnlyAreReplacedAtOnce(t *testing.T) {
	t.Parallel()
	db := written(t, servicestest.Postgres(t))
	inEverySession(t, db, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
	if err := write(t, db); !hasCode(err, "25006") {
		t.Fatalf("a write in a read-only session: %v", err)
	}
	for range sessions {
		if err := write(t, db); err != nil {
			t.Errorf("a later write: %v", err)
		}
	}
}

func TestSessionsOfAServerThatShutsDownAreReplacedAtOnce(t *testing.T) {
	t.Parallel()
	db := written(t, servicestest.Postgres(t))
	var before uint32
	inEverySession(t, db, "SET application_name TO 'old'")
	err := db.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		before = c.Conn().PgConn().PID()
		_, err := c.Exec(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	if !hasCode(err, "57P01") {
		t.Fatalf("the end of a session: %v", err)
	}
	for range sessions {
		var name string
		if err := db.QueryRow(t.Context(), "SELECT current_setting('application_name')").Scan(&name); err != nil || name == "old" {
			t.Errorf("after session %d was ended, a call got one of the old sessions (%v)", before, err)
		}
	}
}

func TestAWriterRecoversFromAReadOnlyDatabaseWithoutARestart(t *testing.T) {
	t.Parallel()
	url := servicestest.Postgres(t)
	db := written(t, url)
	reader, err := pgdb.OpenReader(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	admin := administrator(t, url)
	admin("ALTER DATABASE " + db.Config().ConnConfig.Database + " SET default_transaction_read_only = on")
	admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	servicestest.Eventually(t, 10*time.Second, "a write to be refused", func() bool {
		return errors.Is(write(t, db), pgconn.ErrReadOnlyConnection)
	})
	if err := db.Ready(t.Context()); !errors.Is(err, pgdb.ReadOnly) {
		t.Errorf("the writer is ready: %v", err)
	}
	servicestest.Eventually(t, 10*time.Second, "the reader to be ready", func() bool { return reader.Ready(t.Context()) == nil })

	admin("ALTER DATABASE " + db.Config().ConnConfig.Database + " RESET default_transaction_read_only")
	if err := write(t, db); err != nil {
		t.Errorf("the first write after the database takes writes again: %v", err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("the writer is not ready: %v", err)
	}
}

// A statement that reads does not notice a full disk.
func TestReadinessSaysWhatStatementsWereTold(t *testing.T) {
	t.Parallel()
	url := servicestest.Postgres(t)
	for code, want := range map[string]error{
		"53100": pgdb.DiskFull, "53200": pgdb.Short, "58030": pgdb.Short, "23505": nil, "40001": nil,
	} {
		db := written(t, url)
		_, err := db.Exec(t.Context(), "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '"+code+"'; END $$")
		if !hasCode(err, code) {
			t.Fatal(err)
		}
		if err := db.Ready(t.Context()); !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", code, err, want)
		}
	}
}

func TestReadinessAsksWhetherTheDatabaseTakesWrites(t *testing.T) {
	t.Parallel()
	db := written(t, servicestest.Postgres(t))
	inEverySession(t, db, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
	if err := db.Ready(t.Context()); !errors.Is(err, pgdb.ReadOnly) {
		t.Errorf("with sessions that only read: %v", err)
	}
	db.Close()
	if err := db.Ready(t.Context()); err == nil || errors.Is(err, pgdb.ReadOnly) {
		t.Errorf("without a database: %v", err)
	}
}

func TestTheURLSetsHowLongSessionsLast(t *testing.T) {
	t.Parallel()
	set, err := pgdb.Open(t.Context(), "postgres://user@host/name?pool_max_conn_lifetime=1h&pool_max_conn_idle_time=30m")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	unset, err := pgdb.Open(t.Context(), "postgres://user@host/name")
	if err != nil {
		t.Fatal(err)
	}
	defer unset.Close()
	if c := set.Config(); c.MaxConnLifetime != time.Hour || c.MaxConnIdleTime != 30*time.Minute {
		t.Errorf("sessions last %s, and %s unused", c.MaxConnLifetime, c.MaxConnIdleTime)
	}
	if c := unset.Config(); c.MaxConnLifetime > 10*time.Minute || c.MaxConnLifetimeJitter == 0 {
		t.Errorf("without a setting, sessions last %s, and up to %s longer", c.MaxConnLifetime, c.MaxConnLifetimeJitter)
	}
}

// sessions is how many a test opens.
const sessions = 4

// written opens the database, with a table to write to.
func written(t *testing.T, url string) *pgdb.DB {
	t.Helper()
	db, err := pgdb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS written (at timestamptz)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func write(t *testing.T, db *pgdb.DB) error {
	_, err := db.Exec(t.Context(), "INSERT INTO written VALUES (now())")
	return err
}

// inEverySession runs a statement in several sessions at the same time, and returns them to the pool.
func inEverySession(t *testing.T, db *pgdb.DB, statement string) {
	t.Helper()
	for range sessions {
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// administrator returns what runs statements in a session that can write whatever the database's settings are.
func administrator(t *testing.T, url string) func(statement string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["default_transaction_read_only"] = "off"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func hasCode(err error, code string) bool {
	var reply *pgconn.PgError
	return errors.As(err, &reply) && reply.Code == code
}
