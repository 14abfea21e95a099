package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/tools/internal/jsonhttp"
)

// stack is the system, seen from outside.
type stack struct {
	orders                *orderclient.Client
	api, catalog, gateway string // base URLs
	events                events
	temporalUI            string
	patience              time.Duration // for what happens after a response: undos, messages, released stock
}

// events are the messages about orders.
type events interface {
	// await returns the message about the end of an order, also when it came earlier.
	await(ctx context.Context, orderID string) (message, error)
}

// ready waits until the programs are ready, or says which one is not.
func (s *stack) ready(ctx context.Context) error {
	for _, base := range []string{s.api, s.catalog, s.gateway} {
		ask := func(ctx context.Context) (bool, error) {
			err := jsonhttp.Get(ctx, base+"/readyz", nil)
			if jsonhttp.HasStatus(err, http.StatusServiceUnavailable) {
				return false, nil
			}
			return err == nil, err
		}
		ready, err := until(ctx, s.patience, ask, func(ready bool) bool { return ready })
		if err == nil && !ready {
			err = fmt.Errorf("%s is not ready", base)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pause is how long until waits before it asks again.
const pause = 100 * time.Millisecond

// until asks until the result is good, an error occurs, or patience or ctx ends. It returns the last result; it asks at
// least once, however short patience is.
func until[T any](
	ctx context.Context, patience time.Duration, ask func(context.Context) (T, error), good func(T) bool,
) (T, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		v, err := ask(ctx)
		if err != nil || good(v) {
			return v, err
		}
		select {
		case <-waiting.Done():
			return v, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// ended waits until the order has reached its final status.
func (s *stack) ended(ctx context.Context, id string) (*orderclient.Order, error) {
	return until(ctx, s.patience, func(ctx context.Context) (*orderclient.Order, error) { return s.orders.Get(ctx, id) },
		func(o *orderclient.Order) bool { return o.Status != orderclient.Pending })
}

// unknown is the stock of a product that the catalog does not know.
const unknown = -1

// stock returns how many units of each product can be bought now.
func (s *stack) stock(ctx context.Context, products []string) (map[string]int64, error) {
	units := map[string]int64{}
	for _, id := range products {
		var p catalogclient.Product
		err := jsonhttp.Get(ctx, s.catalog+"/products/"+url.PathEscape(id), &p)
		if units[id] = p.Stock; jsonhttp.HasStatus(err, http.StatusNotFound) {
			units[id] = unknown
		} else if err != nil {
			return nil, err
		}
	}
	return units, nil
}

// payments is what the gateway knows about an order, in minor units.
type payments struct {
	Captured       int64 `json:"captured"`
	Refunded       int64 `json:"refunded"`
	Net            int64 `json:"net"`
	Captures       int   `json:"captures"` // how many times money was taken
	PaymentIntents []struct {
		Charges []struct {
			DeclineCode string `json:"declineCode"`
		} `json:"charges"`
	} `json:"paymentIntents"`
}

// money reads the gateway's ledger. An order that never reached the gateway has no payments.
func (s *stack) money(ctx context.Context, id string) (payments, error) {
	var ledger struct {
		Orders []payments `json:"orders"`
	}
	err := jsonhttp.Get(ctx, s.gateway+"/_sim/ledger?order_id="+url.QueryEscape(id), &ledger)
	if err != nil || len(ledger.Orders) == 0 {
		return payments{}, err
	}
	return ledger.Orders[0], nil
}

// saga is the page about the order's workflow.
func (s *stack) saga(id string) string {
	return s.temporalUI + "/namespaces/default/workflows/" + order.ID(id).WorkflowID()
}

//go:embed products.json
var productsJSON []byte

func products() ([]catalogclient.NewProduct, error) {
	var all []catalogclient.NewProduct
	if err := json.Unmarshal(productsJSON, &all); err != nil {
		return nil, fmt.Errorf("products.json: %w", err)
	}
	return all, nil
}

// seed fills the catalog. Existing products stay as they are, so the demo can be repeated.
func seed(ctx context.Context, s *stack, out *report) error {
	all, err := products()
	if err != nil {
		return err
	}
	added := 0
	for _, p := range all {
		err := jsonhttp.Post(ctx, s.catalog+"/products", p, "")
		if err == nil {
			added++
		} else if !jsonhttp.HasStatus(err, http.StatusConflict) {
			return err
		}
	}
	out.title("The catalog")
	out.line("%d products, %d of them new:", len(all), added)
	out.link(s.catalog + "/products")
	return nil
}

// restock makes sure that each product has some units, so that repeated demos do not sell out.
func restock(ctx context.Context, s *stack, products []string) error {
	const few, many = 10, 100
	units, err := s.stock(ctx, products)
	if err != nil {
		return err
	}
	for id, n := range units {
		if n >= few {
			continue
		}
		restocking := catalogclient.Restock{Quantity: many}
		if err := jsonhttp.Post(ctx, s.catalog+"/products/"+id+"/restock", restocking, "demo-"+uuid.NewString()); err != nil {
			return err
		}
	}
	return nil
}
