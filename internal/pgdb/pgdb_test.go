package pgdb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestErrorsDoNotShowThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:hunter2@host:port/name",
		"postgres://user:hunter2@host/name?sslmode=perhaps",
		"postgres://user:hunter2@host/name?pool_max_conns=many",
		"postgres://user:hunter2@[::1/name",
		"host=localhost password=hunter2 port=x",
	} {
		_, err := pgdb.Open(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("opening %s: %v", url, err)
		}
	}
}

func TestCallsToADatabaseThatIsDownFailWithoutThePassword(t *testing.T) {
	t.Parallel()
	db, err := pgdb.Open(t.Context(), "postgres://user:hunter2@127.0.0.1:1/name")
	if err != nil {
		t.Fatalf("opening must not connect: %v", err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := db.Ping(ctx); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("ping: %v", err)
	}
}

func TestTheURLSetsThePoolsSize(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int32{
		"postgres://user@host/name":                  16,
		"postgres://user@host/name?pool_max_conns=3": 3,
	} {
		db, err := pgdb.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if got := db.Config().MaxConns; got < want || (want < 16 && got != want) {
			t.Errorf("%s: %d connections, want %d", url, got, want)
		}
		db.Close()
	}
}

func TestASchemaIsCurrentOnceAllMigrationsHaveRun(t *testing.T) {
	t.Parallel()
	db, err := pgdb.Open(t.Context(), servicestest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := fstest.MapFS{"migrations/00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x int);\n")}}
	both := fstest.MapFS{
		"migrations/00001_a.sql": first["migrations/00001_a.sql"],
		"migrations/00002_b.sql": {Data: []byte("-- +goose Up\nCREATE TABLE b (x int);\n")},
	}
	if err := pgdb.Current(t.Context(), db.Pool, first); !errors.Is(err, pgdb.ErrOutdated) {
		t.Errorf("an empty database: %v, want ErrOutdated", err)
	}
	if err := pgdb.Migrate(t.Context(), db.Pool, first); err != nil {
		t.Fatal(err)
	}
	if err := pgdb.Current(t.Context(), db.Pool, first); err != nil {
		t.Error(err)
	}
	if err := pgdb.Current(t.Context(), db.Pool, both); !errors.Is(err, pgdb.ErrOutdated) {
		t.Errorf("one migration of two: %v, want ErrOutdated", err)
	}
	if err := pgdb.Migrate(t.Context(), db.Pool, both); err != nil {
		t.Fatal(err)
	}
	if err := pgdb.Current(t.Context(), db.Pool, both); err != nil {
		t.Error(err)
	}
}

func TestAMigrationThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	db, err := pgdb.Open(t.Context(), servicestest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	broken := fstest.MapFS{"migrations/00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x int);\nSELECT 1/0;\n")}}
	if err := pgdb.Migrate(t.Context(), db.Pool, broken); err == nil {
		t.Fatal("no error")
	}
	if err := pgdb.Current(t.Context(), db.Pool, broken); !errors.Is(err, pgdb.ErrOutdated) {
		t.Errorf("after the failure: %v, want ErrOutdated", err)
	}
	repaired := fstest.MapFS{"migrations/00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x int);\n")}}
	if err := pgdb.Migrate(t.Context(), db.Pool, repaired); err != nil {
		t.Errorf("the repaired migration: %v", err)
	}
}
