package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/tools/costsheet"
	"github.com/ordersaga/ordersaga/tools/internal/jsonhttp"
)

// stack is the running stack, with what the benchmark starts on it.
type stack struct {
	c          config
	o          options
	say        func(string, ...any)
	http       *http.Client
	temporal   *temporalclient.Client
	meter      costsheet.Meter        // with --sheet: between the programs and what they call
	statistics *pgx.Conn              // with --sheet: to PostgreSQL's statistics
	activities *activities.Activities // once a mode needs them
	shops      map[string]*orderclient.Client
	children   map[int]string // names of the started programs by process ID
	closers    []func() error
}

// atClose registers what to do at the end, last first.
func (s *stack) atClose(f func() error) { s.closers = append(s.closers, f) }

func (s *stack) close() error {
	var problems []error
	for _, f := range slices.Backward(s.closers) {
		problems = append(problems, f())
	}
	return errors.Join(problems...)
}

// open connects to the stack and fills the catalog.
func open(ctx context.Context, c config, o options, say func(string, ...any)) (s *stack, err error) {
	s = &stack{
		c: c, o: o, say: say, shops: map[string]*orderclient.Client{}, children: map[int]string{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConns: 2 * o.Concurrency, MaxIdleConnsPerHost: 2 * o.Concurrency}},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if o.Sheet > 0 {
		if err := s.count(ctx); err != nil {
			return s, err
		}
	}
	if s.temporal, err = temporalclient.Open(s.c.Temporal, discard); err != nil {
		return s, err
	}
	s.atClose(func() error { s.temporal.Close(); return nil })
	say("filling the catalog with %d products", products)
	for i := range products {
		if err := s.addProduct(ctx, productID(i)); err != nil {
			return s, fmt.Errorf("add product %s: %w", productID(i), err)
		}
	}
	return s, nil
}

// addProduct makes sure that a product is in the catalog. It never runs out.
func (s *stack) addProduct(ctx context.Context, id string) error {
	err := jsonhttp.Post(ctx, s.c.Catalog+"/products", catalogclient.NewProduct{
		ID: id, Name: "Product " + id, Category: "bench", Stock: 1_000_000_000,
		Price: catalogclient.Price{Amount: 1299, Currency: "USD"},
	}, "")
	if jsonhttp.HasStatus(err, http.StatusConflict) {
		return nil // it was there
	}
	return err
}

// modes starts the modes that --only names, or all.
func (s *stack) modes(ctx context.Context) ([]*measured, error) {
	var wanted []*measured
	for _, m := range modes {
		if len(s.o.Only) > 0 && !slices.Contains(s.o.Only, m.name) {
			continue
		}
		run, err := m.start(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		wanted = append(wanted, &measured{mode: m, place: run})
	}
	return wanted, nil
}

// shop starts programs with a task queue of their own, unless they run already, and returns a client of their API.
func (s *stack) shop(ctx context.Context, queue string, programs []string) (*orderclient.Client, error) {
	if s.shops[queue] != nil {
		return s.shops[queue], nil
	}
	api, probes, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	settings := []string{
		"TASK_QUEUE=bench-" + queue, "API_ADDR=" + api, "WORKER_ADDR=" + probes,
		"TEMPORAL_ADDRESS=" + s.c.Temporal.Address, "CATALOG_URL=" + s.c.Catalog, "STRIPE_API_URL=" + s.c.StripeURL,
		"DATABASE_URL=" + s.c.DatabaseURL, "RABBITMQ_URL=" + s.c.RabbitMQURL,
		"AUTH_MODE=none", "RATE_LIMIT_PER_ADDRESS=0", "RECOVERY_INTERVAL=1h", "LOG_LEVEL=ERROR",
		fmt.Sprintf("FAST_PATH=%t", queue != "regular"),
	}
	for _, name := range programs {
		probe := api
		if name == "worker" {
			probe = probes
		}
		if err := s.run(ctx, name, name+" ("+queue+")", settings, "http://"+probe+"/readyz"); err != nil {
			return nil, err
		}
	}
	s.shops[queue], err = s.client("http://" + api)
	return s.shops[queue], err
}

// client returns a client of an api that reports every failure.
func (s *stack) client(api string) (*orderclient.Client, error) {
	return orderclient.New(api, orderclient.WithHTTPClient(s.http), orderclient.WithTries(1, 0))
}

// freeAddresses returns two loopback addresses that nothing listens on.
func freeAddresses() (first, second string, err error) {
	l1, err1 := net.Listen("tcp", "127.0.0.1:0")
	l2, err2 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err1, err2); err != nil {
		return "", "", err
	}
	return l1.Addr().String(), l2.Addr().String(), errors.Join(l1.Close(), l2.Close())
}

// How long a program may take to be ready and to stop.
const (
	readyTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// run starts a program with settings on top of our environment, and waits until it is ready. It ends with the stack, and
// with us if we die.
func (s *stack) run(ctx context.Context, program, name string, settings []string, probe string) error {
	path, err := filepath.Abs(filepath.Join(s.o.Bin, program))
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(running, path)
	cmd.Env = append(os.Environ(), settings...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout // then it is killed
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		stop()
		return fmt.Errorf("start %s: %w", name, err)
	}
	s.children[cmd.Process.Pid] = name
	s.atClose(func() error { stop(); _ = cmd.Wait(); return nil })
	for deadline := time.Now().Add(readyTimeout); ; {
		err := jsonhttp.Get(ctx, probe, nil)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %w", name, err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
