// Package servicestest gives each test a part of the real services to itself: a PostgreSQL database, a MongoDB database, a
// RabbitMQ virtual host, a Temporal task queue. `make test` starts the services and sets the variables with their addresses. A
// test that needs a service fails without it; only `go test -short` skips it.
package servicestest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The environment variables with the services' addresses.
const (
	PostgresURL = "TEST_POSTGRES_URL" // a superuser's URL; every test gets a database of its own
	MongoDBURI  = "MONGODB_URI"       // any server that speaks MongoDB's protocol
	RabbitMQURL = "TEST_RABBITMQ_URL" // an administrator's URL; every test gets a virtual host of its own
	RabbitMQAPI = "TEST_RABBITMQ_API" // the management API, with the administrator's name and password
	TemporalURL = "TEST_TEMPORAL_ADDRESS"
)

// variable returns the environment variable's value. Under -short it skips the test; otherwise it fails the test if the
// variable is not set.
func variable(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("needs a real service (%s); skipped by -short", name)
	}
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make test`, which starts the services, or use -short to skip the tests that need one", name)
	}
	return v
}

// Name returns a unique name of lower-case letters and digits.
func Name(prefix string) string { return prefix + strings.ToLower(rand.Text()[:16]) }

// Postgres creates an empty database and returns its URL. It drops the database when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	admin := variable(t, PostgresURL)
	name := Name("test")
	execute(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { execute(t, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	return withPath(t, admin, name)
}

// OtherExecModes are the ways in which pgx sends statements, besides its default, which prepares each once per session.
func OtherExecModes() []string {
	return []string{"cache_describe", "describe_exec", "exec", "simple_protocol"}
}

// InExecMode returns the URL of a database with a way of sending statements.
func InExecMode(databaseURL, mode string) string {
	separator := "?"
	if strings.Contains(databaseURL, "?") {
		separator = "&"
	}
	return databaseURL + separator + "default_query_exec_mode=" + mode
}

// withPath returns a URL with another path.
func withPath(t testing.TB, base, path string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("a service's URL: %v", err)
	}
	u.Path = "/" + path
	return u.String()
}

func execute(t testing.TB, databaseURL, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		t.Fatalf("connect to %s: %v", PostgresURL, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// MongoDB returns the server's URI and a unique name for a database. It drops the database when the test ends.
func MongoDB(t testing.TB) (uri, database string) {
	t.Helper()
	uri, database = variable(t, MongoDBURI), Name("test")
	t.Cleanup(func() { dropMongoDB(t, uri, database) })
	return uri, database
}

func dropMongoDB(t testing.TB, uri, database string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatalf("%s: %v", MongoDBURI, err)
	}
	if err := errors.Join(client.Database(database).Drop(ctx), client.Disconnect(ctx)); err != nil {
		t.Errorf("drop the MongoDB database %s: %v", database, err)
	}
}

// RabbitMQ creates an empty virtual host and returns its URL. It deletes the virtual host when the test ends.
func RabbitMQ(t testing.TB) string {
	t.Helper()
	base, name := variable(t, RabbitMQURL), Name("test")
	ManageRabbitMQ(t, http.MethodPut, "vhosts/"+name, "", nil)
	t.Cleanup(func() { ManageRabbitMQ(t, http.MethodDelete, "vhosts/"+name, "", nil) })
	return withPath(t, base, name)
}

// ManageRabbitMQ calls the management API, which returns JSON into out unless that is nil. The path follows /api/, for
// example "queues/<virtual host>".
func ManageRabbitMQ(t testing.TB, method, path, body string, out any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, variable(t, RabbitMQAPI)+"/api/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", RabbitMQAPI, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: RabbitMQ's management API returned %s", method, path, res.Status)
	}
	if out == nil {
		return
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// Temporal returns the server's address and a unique name for a task queue.
func Temporal(t testing.TB) (address, taskQueue string) {
	t.Helper()
	return variable(t, TemporalURL), Name("test")
}
