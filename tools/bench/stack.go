package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// Task queues. The stack's own worker works on the first.
const (
	ordersQueue  = "orders"
	regularQueue = "bench-regular"
	emptyQueue   = "bench-empty"
	localQueue   = "bench-local"
)

// stack is what is measured: the running stack and two more workers.
type stack struct {
	c        config
	o        options
	http     *http.Client
	temporal client.Client
	products []string
	children []*child
	local    worker.Worker  // in this process, for the modes that need it
	roots    map[int]string // the programs by their process IDs, once they are known
}

// open starts what the stack lacks and fills the catalog.
func open(ctx context.Context, c config, o options, say func(string, ...any)) (s *stack, err error) {
	s = &stack{c: c, o: o, http: &http.Client{
		Timeout:   callTimeout,
		Transport: &http.Transport{MaxIdleConns: 2 * o.clients, MaxIdleConnsPerHost: 2 * o.clients},
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.temporal, err = temporalclient.Open(c.Temporal, slog.New(slog.DiscardHandler)); err != nil {
		return s, err
	}
	if err := s.startWorkers(ctx); err != nil {
		return s, err
	}
	say("filling the catalog with %d products", o.products)
	return s, s.seed(ctx)
}

// startWorkers starts a worker without the fast path, one that knows only the empty workflow, and one in this process.
func (s *stack) startWorkers(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	probe, err := freeAddress()
	if err != nil {
		return err
	}
	regular, err := start("worker (regular)", filepath.Join(s.o.bin, "worker"), nil,
		"TASK_QUEUE="+regularQueue, "FAST_PATH=false", "WORKER_ADDR="+probe, "LOG_LEVEL=WARN")
	if err != nil {
		return err
	}
	s.children = append(s.children, regular)
	empty, err := start("worker (empty)", self, []string{emptyWorkerCommand}, "TASK_QUEUE="+emptyQueue, "LOG_LEVEL=WARN")
	if err != nil {
		return err
	}
	s.children = append(s.children, empty)
	local := localWorker(s.temporal, localQueue)
	if err := local.Start(); err != nil {
		return fmt.Errorf("start a worker in this process: %w", err)
	}
	s.local = local
	return regular.ready(ctx, s.http, "http://"+probe+"/readyz")
}

func (s *stack) close() error {
	if s.local != nil {
		s.local.Stop()
	}
	var problems []error
	for _, c := range s.children {
		problems = append(problems, c.stop())
	}
	if s.temporal != nil {
		s.temporal.Close()
	}
	return errors.Join(problems...)
}

// Products never run out, and cost little enough for any number of lines.
const (
	unitsInStock = 1_000_000_000
	price        = 1299 // cents
)

// seed makes sure that the products are in the catalog.
func (s *stack) seed(ctx context.Context) error {
	for i := range s.o.products {
		id := fmt.Sprintf("bench-%d", i)
		status, body, err := s.post(ctx, s.c.Catalog+"/products", map[string]any{
			"id": id, "name": "Product " + id, "category": "bench", "stock": unitsInStock,
			"price": map[string]any{"amount": price, "currency": "USD"},
		})
		if err != nil {
			return fmt.Errorf("add product %s: %w", id, err)
		}
		if status != http.StatusCreated && status != http.StatusConflict {
			return fmt.Errorf("add product %s: the catalog answered %d %s", id, status, body)
		}
		s.products = append(s.products, id)
	}
	return nil
}

// Payment methods of stripesim, as of the real gateway's test mode.
const (
	goodCard     = "pm_card_visa"
	declinedCard = "pm_card_chargeDeclined"
)

// request returns an order of random products; of failing ones the card is declined.
func (s *stack) request(failing bool) order.Request {
	req := order.Request{
		ID: order.ID(uuid.Must(uuid.NewV7()).String()), UserID: 1 + rand.Int64N(1000), PaymentMethod: goodCard, Hash: "bench",
	}
	if failing {
		req.PaymentMethod = declinedCard
	}
	for _, i := range rand.Perm(len(s.products))[:s.o.lines] {
		req.Items = append(req.Items, order.Item{ProductID: s.products[i], Quantity: 1})
	}
	return req
}

// callTimeout bounds everything that is asked of the stack. Orders on regular activities queue up on a small machine.
const callTimeout = time.Minute
