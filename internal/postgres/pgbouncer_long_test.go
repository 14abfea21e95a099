//go:build long

package postgres_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// A pooler in transaction mode gives a client another session for each transaction.
func TestOrdersKeepTheContractThroughPgBouncer(t *testing.T) {
	t.Parallel()
	pooler := startPgBouncer(t, servicestest.Postgres(t))
	for _, mode := range []string{"cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			contract(t, func(t *testing.T) store {
				pool := open(t, servicestest.InExecMode(pooler(servicestest.Postgres(t)), mode))
				if err := postgres.Migrate(t.Context(), pool); err != nil {
					t.Fatal(err)
				}
				return postgres.NewOrders(pool)
			})
		})
	}
}

// startPgBouncer runs Debian's PgBouncer in front of the server of a database URL. It returns what turns the URL of a database
// of that server into one through the pooler.
func startPgBouncer(t *testing.T, databaseURL string) func(databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := pgbouncer(t, dir)
	address := porttest.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	password, _ := u.User.Password()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s password=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\n"+
		"unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 500\n",
		u.Hostname(), u.Port(), u.User.Username(), password, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil { //nolint:gosec // read by another user
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, config)
	if os.Geteuid() == 0 { // which PgBouncer refuses
		command.Args = append(command.Args, "-u", "nobody")
	}
	command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries(dir))
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = command.Wait() })
	through := func(databaseURL string) string {
		u, err := url.Parse(databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		u.Host = address
		return u.String()
	}
	servicestest.Eventually(t, 30*time.Second, "PgBouncer to respond", func() bool {
		conn, err := pgx.Connect(t.Context(), servicestest.InExecMode(through(databaseURL), "exec"))
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	return through
}

// pgbouncer returns the path of the program: the installed one, or the one of Debian's package, unpacked in dir.
func pgbouncer(t *testing.T, dir string) string {
	t.Helper()
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // read by another user
		t.Fatal(err)
	}
	// Its libraries have other names in other releases of Debian.
	script := `cd "$0" && apt-get -q download pgbouncer $(apt-cache depends pgbouncer |
		sed -nE 's/.*Depends: (lib(c-)?ares.*|libevent.*)/\1/p') && for deb in *.deb; do dpkg -x "$deb" .; done`
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, dir).CombinedOutput(); err != nil {
		t.Skipf("PgBouncer can be had neither here nor from Debian: %v\n%s", err, out)
	}
	return filepath.Join(dir, "usr/sbin/pgbouncer")
}

// libraries are the folders with the libraries of the unpacked packages.
func libraries(dir string) string {
	found, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu"))
	if len(found) == 0 {
		return ""
	}
	return found[0]
}
