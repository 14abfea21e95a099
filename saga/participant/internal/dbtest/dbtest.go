// Package dbtest gives each test a part of the real databases to itself. A test that needs one fails without it; only
// `go test -short` skips it.
package dbtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// variable returns the value of an environment variable with a database's address.
func variable(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("needs a real database (%s); skipped by -short", name)
	}
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make test`, which starts the databases, or use -short", name)
	}
	return v
}

// name returns a unique name.
func name() string { return "test" + strings.ToLower(rand.Text()[:16]) }

// Postgres returns the URL of a PostgreSQL database, with a search path of an empty schema that is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	address, schema := variable(t, "TEST_POSTGRES_URL"), name()
	execute(t, address, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { execute(t, address, "DROP SCHEMA "+schema+" CASCADE") })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("TEST_POSTGRES_URL: %v", err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func execute(t testing.TB, address, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("connect to TEST_POSTGRES_URL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// MongoDB returns the URI of a server that speaks MongoDB's protocol, and a unique name for a database.
func MongoDB(t testing.TB) (uri, database string) {
	t.Helper()
	return variable(t, "MONGODB_URI"), name()
}
