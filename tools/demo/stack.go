package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/order"
)

// stack is the system as it is seen from outside.
type stack struct {
	api, catalog, gateway client
	events                events
	temporalUI            string
	patience              time.Duration // for what happens after an answer: undos, messages, stock that is given back
}

// events are the messages about orders.
type events interface {
	// await returns the message about the end of an order, which may have come before.
	await(ctx context.Context, id order.ID) (message, error)
}

// ready waits until the programs are, or says which is not.
func (s *stack) ready(ctx context.Context) error {
	for _, c := range []client{s.api, s.catalog, s.gateway} {
		a, err := c.call(ctx, http.MethodGet, "/readyz", nil)
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			a, err = until(ctx, s.patience, func(ctx context.Context) (answer, error) {
				return c.call(ctx, http.MethodGet, "/readyz", nil)
			}, func(a answer) bool { return a.status == http.StatusOK })
		}
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("%s at %s is not ready: %s", c.name, c.base, a.body)
		}
	}
	return nil
}

// shown is what the demo reads of an order.
type shown struct {
	ID     order.ID     `json:"id"`
	Status order.Status `json:"status"`
	Reason order.Reason `json:"reason"`
	Total  struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"total"`
}

// ended waits until the order has reached its final status.
func (s *stack) ended(ctx context.Context, id order.ID) (shown, error) {
	return until(ctx, s.patience, func(ctx context.Context) (o shown, err error) {
		return o, s.api.get(ctx, "/orders/"+url.PathEscape(string(id)), &o)
	}, func(o shown) bool { return o.Status.Final() })
}

// unknown is the stock of a product that the catalog does not know.
const unknown = -1

// stock is how many units of each product can be bought now.
func (s *stack) stock(ctx context.Context, products []string) (map[string]int64, error) {
	units := map[string]int64{}
	for _, id := range products {
		var p catalogclient.Product
		err := s.catalog.get(ctx, "/products/"+url.PathEscape(id), &p)
		var status *errStatus
		switch {
		case errors.As(err, &status) && status.answer.status == http.StatusNotFound:
			units[id] = unknown
		case err != nil:
			return nil, err
		default:
			units[id] = p.Stock
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

// money asks the gateway's ledger; an order that it has never heard of has none.
func (s *stack) money(ctx context.Context, id order.ID) (payments, error) {
	var ledger struct {
		Orders []payments `json:"orders"`
	}
	if err := s.gateway.get(ctx, "/_sim/ledger?order_id="+url.QueryEscape(string(id)), &ledger); err != nil {
		return payments{}, err
	}
	if len(ledger.Orders) == 0 {
		return payments{}, nil
	}
	return ledger.Orders[0], nil
}

// saga is the page about the order's workflow.
func (s *stack) saga(id order.ID) string {
	return s.temporalUI + "/namespaces/default/workflows/" + id.WorkflowID()
}
