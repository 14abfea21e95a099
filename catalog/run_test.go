package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// start runs the program on a free port until stop is called, which fails the test if the program ends with an error.
func start(t *testing.T, c Config) (base string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	addr := make(chan string, 1)
	go func() { ended <- Run(ctx, c, slog.New(listening{addr})) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the program ended with: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the program did not end")
		}
	})
	t.Cleanup(stop)
	select {
	case a := <-addr:
		return "http://" + a, stop
	case err := <-ended:
		t.Fatalf("the program did not start: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the program is not listening")
	}
	return "", nil
}

// listening is a log that sends the address on which the program listens and drops everything else.
type listening struct{ addr chan<- string }

func (listening) Enabled(context.Context, slog.Level) bool { return true }
func (l listening) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l listening) WithGroup(string) slog.Handler          { return l }

func (l listening) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "listening" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		l.addr <- a.Value.String()
		return false
	})
	return nil
}

// configured returns a configuration with a new database.
func configured(t *testing.T) Config {
	t.Helper()
	uri, database := servicestest.MongoDB(t)
	return Config{Addr: "127.0.0.1:0", MongoDBURI: uri, Database: database, SweepInterval: 50 * time.Millisecond, Auth: noTokens}
}

// withoutDatabase is a configuration whose database does not respond.
func withoutDatabase(addr string) Config {
	return Config{
		Addr: addr, MongoDBURI: "mongodb://127.0.0.1:1/", Database: "nothing", SweepInterval: time.Second, Auth: noTokens,
	}
}

func call(t *testing.T, method, url, body string) (status int, response map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_ = json.NewDecoder(res.Body).Decode(&response)
	return res.StatusCode, response
}

func ready(t *testing.T, base string) {
	t.Helper()
	servicestest.Eventually(t, 30*time.Second, "ready", func() bool {
		status, _ := call(t, "GET", base+"/readyz", "")
		return status == http.StatusOK
	})
}

func seed(t *testing.T, base string, stock int) {
	t.Helper()
	status, response := call(t, "POST", base+"/products", fmt.Sprintf(
		`{"id": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}, "stock": %d, "category": "kitchen"}`, stock))
	if status != http.StatusCreated {
		t.Fatalf("seed: %d %v", status, response)
	}
}

func units(t *testing.T, base string) string {
	t.Helper()
	_, a := call(t, "GET", base+"/products/kettle/stock", "")
	return fmt.Sprintf("available %v, held %v, sold %v", a["available"], a["held"], a["sold"])
}

// becomes waits until the product's units are as wanted.
func becomes(t *testing.T, base, want string) {
	t.Helper()
	servicestest.Eventually(t, 30*time.Second, want, func() bool { return units(t, base) == want })
}

func newClient(t *testing.T, base string) *catalogadapter.Catalog {
	t.Helper()
	client, err := catalogclient.New(catalogclient.Options{BaseURL: base, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return catalogadapter.New(client)
}

func TestUnderLoadNoUnitIsSoldTwiceOrLost(t *testing.T) {
	t.Parallel()
	base, _ := start(t, configured(t))
	ready(t, base)
	seed(t, base, 100)
	client := newClient(t, base)
	var sold, short, released counter
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for n := range 10 {
				id := order.ID(uuid.NewString())
				err := client.Reserve(t.Context(), id, items(1), time.Now().Add(time.Hour))
				var refusal *order.Refusal
				switch {
				case errors.As(err, &refusal) && refusal.Cause.Reason == order.OutOfStock:
					short.add()
					continue
				case err == nil && n%5 == 0:
					released.add()
					err = client.Release(t.Context(), id)
				case err == nil:
					sold.add()
					err = client.Commit(t.Context(), id)
				}
				if err != nil {
					t.Errorf("order %s: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
	if total := sold.n + short.n + released.n; total != 160 || sold.n > 100 || sold.n+released.n < 100 {
		t.Errorf("sold %d, short %d, released %d of 160", sold.n, short.n, released.n)
	}
	want := fmt.Sprintf("available %d, held 0, sold %d", 100-sold.n, sold.n)
	becomes(t, base, want)
}

// counter counts orders.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func TestHoldsExpireAndStockSurvivesARestart(t *testing.T) {
	t.Parallel()
	c := configured(t)
	base, stop := start(t, c)
	ready(t, base)
	seed(t, base, 3)
	client := newClient(t, base)
	if err := client.Reserve(t.Context(), orderOne, items(2), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := client.Reserve(t.Context(), orderTwo, items(1), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := units(t, base); got != "available 0, held 3, sold 0" {
		t.Errorf("after two reservations: %s", got)
	}
	becomes(t, base, "available 2, held 1, sold 0")
	refused(t, "commit of it", client.Commit(t.Context(), orderOne), order.Cause{Reason: order.ReservationLost})

	stop()
	base, _ = start(t, c)
	ready(t, base)
	client = newClient(t, base)
	if err := client.Commit(t.Context(), orderTwo); err != nil {
		t.Errorf("commit after a restart: %v", err)
	}
	becomes(t, base, "available 2, held 0, sold 1")
}

func TestTheProgramStartsWithoutItsDatabaseAndReportsThat(t *testing.T) {
	t.Parallel()
	base, stop := start(t, withoutDatabase("127.0.0.1:0"))
	status, response := call(t, "GET", base+"/readyz", "")
	if status != 503 || response["mongodb"] != "unavailable" || response["indexes"] != "being created" {
		t.Errorf("readyz: %d %v", status, response)
	}
	if status, _ := call(t, "GET", base+"/livez", ""); status != 200 {
		t.Errorf("livez: %d", status)
	}
	status, response = call(t, "GET", base+"/products/kettle", "")
	if status != 503 || response["type"] != "/problems/store-unavailable" {
		t.Errorf("get: %d %v", status, response)
	}
	stop()
}

func TestAPortInUseEndsTheProgram(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = Run(t.Context(), withoutDatabase(taken.Addr().String()), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("run: %v, want an error that names the address", err)
	}
}

func TestEveryMistakeInTheConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	for want, environ := range map[string][]string{
		"MONGODB_URI: ":            {"AUTH_MODE=none", "MONGODB_URI=mongodb://user:sesame@:::/"},
		"MONGODB_URI":              {"AUTH_MODE=none"},
		"CATALOG_SWEEP_INTERVAL: ": {"AUTH_MODE=none", "MONGODB_URI=mongodb://h/", "CATALOG_SWEEP_INTERVAL=0s"},
		"AUTH_MODE":                {"MONGODB_URI=mongodb://h/"},
		"JWT_SECRET: ":             {"MONGODB_URI=mongodb://h/", "AUTH_MODE=jwt", "JWT_ISSUER=https://issuer", "JWT_SECRET=sesame"},
		"JWT_ISSUER: ":             {"MONGODB_URI=mongodb://h/", "AUTH_MODE=jwt", "JWKS_URL=https://issuer/keys"},
		"TLS_KEY_FILE: ":           {"MONGODB_URI=mongodb://h/", "AUTH_MODE=none", "TLS_CERT_FILE=cert.pem"},
	} {
		var stderr bytes.Buffer
		code := program.Execute(t.Context(), "catalog", "", nil, environ, io.Discard, &stderr,
			func(context.Context, Config, *slog.Logger) error { return errors.New("it was started") })
		if code != program.ExitUsage || !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "sesame") {
			t.Errorf("%v: exit %d, %s", environ, code, &stderr)
		}
	}
}
