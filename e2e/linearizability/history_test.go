package linearizability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/catalog/storetest"
)

// history lets clients call concurrently, each in a goroutine of its own. Several clients call for the same orders, and
// all orders want the same few units of two products.
type history struct {
	prefix  string // of all IDs, so that histories can share a store
	seed    uint64
	clients int
	calls   int              // of each client
	wrong   memorytest.Wrong // how the store misbehaves, if it does
}

const (
	contestedUnits  = 3 // of each product
	contestedOrders = 6 // of each product
	returnIDs       = 3 // of each order
	checkTimeout    = 30 * time.Second
)

// run returns an error if the responses cannot be explained.
func (h history) run(ctx context.Context, store storetest.Store) error {
	for p := range 2 {
		if err := store.CreateProduct(ctx, product.Product{ID: h.product(p), Stock: contestedUnits}); err != nil {
			return fmt.Errorf("create product: %w", err)
		}
	}
	under := stock.Store(store)
	if h.wrong.Over != nil {
		under = h.wrong.Over(store)
	}
	began := time.Now()
	steps, errs := make([][]porcupine.Operation, h.clients), make([]error, h.clients)
	var all sync.WaitGroup
	for n := range h.clients {
		all.Go(func() {
			// Each client stands for a program of its own, with its own cache.
			service := stock.New(under, stock.Options{PruneAt: 2, Log: slog.New(slog.DiscardHandler)})
			r := rand.New(rand.NewPCG(h.seed, uint64(n)))
			for range h.calls {
				made, err := h.call(ctx, service, r, n, began)
				steps[n] = append(steps[n], made...)
				errs[n] = errors.Join(errs[n], err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var operations []porcupine.Operation
	for _, s := range steps {
		operations = append(operations, s...)
	}
	if verdict := porcupine.CheckOperationsTimeout(model, operations, checkTimeout); verdict != porcupine.Ok {
		return fmt.Errorf("the responses to %d clients: %s", h.clients, verdict)
	}
	return nil
}

func (h history) product(n int) string { return fmt.Sprintf("%sproduct%d", h.prefix, n) }

// call makes one random call and returns its steps.
func (h history) call(
	ctx context.Context, service *stock.Service, r *rand.Rand, client int, began time.Time,
) ([]porcupine.Operation, error) {
	p, n := r.IntN(2), r.IntN(contestedOrders)
	in := request{product: p, order: n, quantity: int64(1 + n%2), back: r.IntN(returnIDs)}
	id := fmt.Sprintf("%sorder%d-%d", h.prefix, p, n)
	var kinds []string
	var err error
	called := time.Since(began)
	switch r.IntN(8) {
	case 0, 1, 2:
		kinds = []string{"take", "respond"}
		_, err = service.Reserve(ctx, id, []stock.Line{{ProductID: h.product(p), Quantity: in.quantity}}, time.Now().Add(time.Hour))
	case 3, 4:
		kinds = []string{"commit"}
		_, err = service.Commit(ctx, id)
	case 5, 6:
		kinds = []string{"admit", "bring back"}
		back := stock.ReturnLine{ProductID: h.product(p), Quantity: 1}
		if in.back == lossy {
			back.WriteOff = 1
		}
		_, err = service.Return(ctx, id, fmt.Sprintf("return%d", in.back), []stock.ReturnLine{back})
	default:
		kinds = []string{"close", "give back"}
		_, err = service.Release(ctx, id)
	}
	response, err := responseOf(err)
	var steps []porcupine.Operation
	for i, kind := range kinds {
		in.kind = kind
		steps = append(steps, porcupine.Operation{
			ClientId: 2*client + i, Input: in, Output: response,
			Call: int64(called), Return: int64(time.Since(began)),
		})
	}
	return steps, err
}

// responseOf names a call's outcome. An error that is not a refusal fails the test.
func responseOf(err error) (string, error) {
	switch {
	case err == nil:
		return "done", nil
	case errors.As(err, new(*stock.ShortError)):
		return "short", nil
	case errors.As(err, new(*stock.NotSoldError)):
		return "not sold", nil
	case errors.As(err, new(*stock.ExcessError)):
		return "too large", nil
	case errors.Is(err, stock.ErrReleased):
		return "released", nil
	case errors.Is(err, stock.ErrNotFound):
		return "unknown", nil
	}
	return "", err
}
