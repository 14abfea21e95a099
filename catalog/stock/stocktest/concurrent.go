package stocktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Concurrent lets clients really call at the same time, each from a goroutine of its own, and looks afterwards whether
// what they were answered can be explained by some order of single steps (linearizability). Several clients call for the
// same orders, and all orders want the same few units of two products.
//
// Two calls are two steps each, that may lie apart: a reserve takes, and answers; a release closes the order, and gives
// its units back. In between others see units that are held for an order that is not to have them. That is what package
// stock promises: units come back before a release is answered, not at one moment with its decision.
type Concurrent struct {
	Prefix  string // of all IDs
	Seed    uint64
	Clients int
	Calls   int // of each client
	// Faulty is as in Options.
	Faulty Wrong
}

const (
	contestedUnits  = 3
	contestedOrders = 6 // of each product
	explainWithin   = 30 * time.Second
)

// Run returns an error when the answers cannot be explained.
func (c Concurrent) Run(ctx context.Context, store Store) error {
	for p := range 2 {
		if err := store.CreateProduct(ctx, product.Product{ID: c.product(p), Stock: contestedUnits}); err != nil {
			return fmt.Errorf("create product: %w", err)
		}
	}
	under := c.Faulty.Over(store)
	began := time.Now()
	histories, errs := make([][]porcupine.Operation, c.Clients), make([]error, c.Clients)
	var all sync.WaitGroup
	for n := range c.Clients {
		all.Go(func() {
			// Each client is a program of its own, with a cache of its own.
			service := stock.New(under, stock.Options{PruneAt: 2, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			r := rand.New(rand.NewPCG(c.Seed, uint64(n)))
			for range c.Calls {
				steps, err := c.call(ctx, service, r, n, began)
				histories[n] = append(histories[n], steps...)
				errs[n] = errors.Join(errs[n], err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var history []porcupine.Operation
	for _, h := range histories {
		history = append(history, h...)
	}
	if verdict := porcupine.CheckOperationsTimeout(contested, history, explainWithin); verdict != porcupine.Ok {
		return fmt.Errorf("the answers to %d clients: %s", c.Clients, verdict)
	}
	return nil
}

func (c Concurrent) product(n int) string { return fmt.Sprintf("%sproduct%d", c.Prefix, n) }

// call makes one random call and returns its steps.
func (c Concurrent) call(
	ctx context.Context, service *stock.Service, r *rand.Rand, client int, began time.Time,
) ([]porcupine.Operation, error) {
	p, n := r.IntN(2), r.IntN(contestedOrders)
	on := contest{product: p, order: n, quantity: int64(1 + n%2)}
	id := fmt.Sprintf("%sorder%d-%d", c.Prefix, p, n)
	var kinds []string
	var err error
	called := time.Since(began)
	switch r.IntN(4) {
	case 0, 1:
		kinds = []string{"take", "answer"}
		_, err = service.Reserve(ctx, id, []stock.Line{{ProductID: c.product(p), Quantity: on.quantity}}, time.Now().Add(time.Hour))
	case 2:
		kinds = []string{"commit"}
		_, err = service.Commit(ctx, id)
	default:
		kinds = []string{"close", "give back"}
		_, err = service.Release(ctx, id)
	}
	answer, err := answered(err)
	var steps []porcupine.Operation
	for i, kind := range kinds {
		on.kind = kind
		steps = append(steps, porcupine.Operation{
			ClientId: 2*client + i, Input: on, Output: answer,
			Call: int64(called), Return: int64(time.Since(began)),
		})
	}
	return steps, err
}

// answered is a call's error as one of its answers; others are errors of the test.
func answered(err error) (string, error) {
	switch {
	case err == nil:
		return "done", nil
	case errors.As(err, new(*stock.ShortError)):
		return "short", nil
	case errors.Is(err, stock.ErrReleased):
		return "released", nil
	case errors.Is(err, stock.ErrNotFound):
		return "unknown", nil
	}
	return "", err
}

// contest is what a step wants.
type contest struct {
	kind           string
	product, order int
	quantity       int64
}

// standing is one product and its orders: what became of them, by the answer that a commit of theirs gets.
type standing struct {
	available int64
	orders    map[int]string // "" for unknown, then: held, done (sold), short, released; returning: released, units out
}

// contested is how the stock of one product behaves, one step at a time.
var contested = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, 2)
		for _, op := range history {
			p := op.Input.(contest).product
			parts[p] = append(parts[p], op)
		}
		return parts
	},
	Init: func() any { return standing{available: contestedUnits} },
	Step: func(state, input, output any) (bool, any) {
		return state.(standing).step(input.(contest), output.(string))
	},
	Equal: func(a, b any) bool {
		x, y := a.(standing), b.(standing)
		return x.available == y.available && maps.Equal(x.orders, y.orders)
	},
}

// step reports whether the step may be answered so, and what it leaves.
func (s standing) step(in contest, answer string) (bool, standing) {
	is := s.orders[in.order]
	gone := is == "returning" || is == "released"
	switch in.kind {
	case "take":
		switch {
		case is != "":
		case s.available >= in.quantity:
			return true, s.with(in, "held", -in.quantity)
		default:
			return true, s.with(in, "short", 0)
		}
		return true, s
	case "answer":
		return (is == "held" || is == "done") && answer == "done" || is == "short" && answer == "short" || gone && answer == "released", s
	case "commit":
		if is == "held" {
			return answer == "done", s.with(in, "done", 0)
		}
		return is == "" && answer == "unknown" || gone && answer == "released" || is == answer, s
	case "close":
		switch is {
		case "":
			s = s.with(in, "released", 0)
		case "held", "done":
			s = s.with(in, "returning", 0)
		}
		return answer == "done", s
	default: // give back
		if is == "returning" {
			return answer == "done", s.with(in, "released", in.quantity)
		}
		return (is == "released" || is == "short") && answer == "done", s
	}
}

func (s standing) with(in contest, is string, available int64) standing {
	orders := maps.Clone(s.orders)
	if orders == nil {
		orders = map[int]string{}
	}
	orders[in.order] = is
	return standing{s.available + available, orders}
}
