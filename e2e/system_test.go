package e2e

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// system is the whole order system: processes with databases, a virtual host and a task queue of their own.
type system struct {
	t *testing.T

	api, worker, catalog, notifier, stripesim *process
	toAPI                                     *front
	client                                    *orderclient.Client // of the api
	// The services are shared with other tests: what a test cuts off is its proxy.
	toTemporal, toPostgres, toRabbitMQ *proxy

	temporal        client.Client
	temporalAddress string
	namespace       string
	queue           string
	tokens          map[string]string // the tests' tokens by the program's address, where it wants one
	ordersURL       string            // PostgreSQL, past the proxy
}

const apiKey = "sk_test_e2e"

// webUI is the address in the page's links to sagas. Nothing listens there.
const webUI = "http://127.0.0.1:8233"

// newSystem starts a system with products and waits until all of it is ready. settings change the worker's environment.
func newSystem(t *testing.T, settings ...string) *system {
	t.Helper()
	t.Parallel()
	s := buildSystem(t, client.DefaultNamespace, settings...)
	s.start()
	return s
}

// buildSystem prepares the system without starting a program.
func buildSystem(t *testing.T, namespace string, settings ...string) *system {
	t.Helper()
	s := &system{t: t, namespace: namespace}
	address, queue := servicestest.Temporal(t)
	s.queue, s.temporalAddress = queue, address
	s.connect()
	ordersURL, broker := servicestest.Postgres(t), servicestest.RabbitMQ(t)
	s.ordersURL = ordersURL
	mongo, mongoDB := servicestest.MongoDB(t)
	s.toTemporal = newProxy(t, address)
	s.toPostgres = newProxy(t, hostOf(t, ordersURL))
	s.toRabbitMQ = newProxy(t, hostOf(t, broker))

	catalogAddr, stripeAddr := porttest.FreeAddress(t), porttest.FreeAddress(t)
	toCatalog := newFront(t, catalogDescription, catalogAddr, t.Errorf)
	s.catalog = newProcess(t, "catalog", toCatalog.addr(),
		"CATALOG_ADDR="+catalogAddr, "MONGODB_URI="+mongo, "MONGODB_DATABASE="+mongoDB, "AUTH_MODE=none")
	s.stripesim = newProcess(t, "stripesim", stripeAddr, "STRIPESIM_ADDR="+stripeAddr,
		"STRIPESIM_DATABASE_URL="+servicestest.Postgres(t), "STRIPESIM_API_KEY="+apiKey)
	workerAddr, notifierAddr, apiAddr := porttest.FreeAddress(t), porttest.FreeAddress(t), porttest.FreeAddress(t)
	s.toAPI = newFront(t, ordersDescription, apiAddr, t.Errorf)
	s.worker = newProcess(t, "worker", workerAddr, append([]string{
		"WORKER_ADDR=" + workerAddr, "DATABASE_URL=" + through(t, ordersURL, s.toPostgres), "CATALOG_URL=http://" + s.catalog.addr,
		"STRIPE_API_URL=http://" + stripeAddr, "STRIPE_API_KEY=" + apiKey, "RABBITMQ_URL=" + through(t, broker, s.toRabbitMQ),
		"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + namespace, "TASK_QUEUE=" + queue,
		"RECOVERY_INTERVAL=2s", "RECOVERY_MIN_AGE=5s",
	}, settings...)...)
	s.notifier = newProcess(t, "notifier", notifierAddr, "NOTIFIER_ADDR="+notifierAddr,
		"NOTIFIER_DATABASE_URL="+servicestest.Postgres(t), "RABBITMQ_URL="+through(t, broker, s.toRabbitMQ))
	s.api = newProcess(t, "api", s.toAPI.addr(), "API_ADDR="+apiAddr, "DATABASE_URL="+ordersURL,
		"TEMPORAL_ADDRESS="+s.toTemporal.addr(), "TEMPORAL_NAMESPACE="+namespace, "TASK_QUEUE="+queue, "AUTH_MODE=none",
		"RATE_LIMIT_PER_ADDRESS=0", "PAGE_CATALOG_URL=http://"+s.catalog.addr, "TEMPORAL_UI_URL="+webUI)
	return s
}

// start starts all programs, waits until they are ready, and adds the products.
func (s *system) start() {
	s.t.Helper()
	all := slices.Compact([]*process{s.catalog, s.stripesim, s.notifier, s.worker, s.api}) // the last two may be one
	for _, p := range all {
		p.start()
	}
	for _, p := range all {
		p.ready()
	}
	s.stock(lamp, lamps)
	s.stock(chair, 1)
	options := []orderclient.Option{orderclient.WithTries(1, 0)}
	if token := s.tokens[s.api.addr]; token != "" {
		options = append(options, orderclient.WithToken(func(context.Context) (string, error) { return token, nil }))
	}
	var err error
	if s.client, err = orderclient.New("http://"+s.api.addr, options...); err != nil {
		s.t.Fatal(err)
	}
}

// connect gives the tests a Temporal client of their own. When the test ends, it deletes the recovery schedule, which would
// otherwise go on starting workflows on a queue without workers.
func (s *system) connect() {
	s.t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.temporalAddress, Namespace: s.namespace, Logger: quiet{}})
	if err != nil {
		s.t.Fatalf("connect to Temporal: %v", err)
	}
	s.temporal = c
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.ScheduleClient().GetHandle(ctx, "recover-"+s.queue).Delete(ctx); err != nil {
			s.t.Logf("delete the recovery schedule: %v", err)
		}
		c.Close()
	})
}

// quiet drops the SDK's logs.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func hostOf(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// through returns the URL with the proxy's address instead of its own.
func through(t *testing.T, rawURL string, p *proxy) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.addr()
	return u.String()
}

// The products of every system.
const (
	lamp  = "lamp"
	chair = "chair"
	lamps = 1000 // the lamp's units at the beginning

	visa     = "pm_card_visa"
	declined = "pm_card_chargeDeclined"
)

// stock adds a product to the catalog.
func (s *system) stock(id string, units int) {
	s.t.Helper()
	res := s.do("POST", "http://"+s.catalog.addr+"/products", map[string]any{
		"id": id, "name": id, "category": "test", "stock": units, "price": map[string]any{"amount": 1299, "currency": "USD"},
	})
	if res.status != 201 {
		s.t.Fatalf("add product %s: %d %s", id, res.status, res.body)
	}
}
