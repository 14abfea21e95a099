package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// holdFor is how long the stock is reserved.
const holdFor = 20 * time.Minute

// openActivities connects the worker's activities to the stack, once.
func (s *stack) openActivities(ctx context.Context) (*activities.Activities, error) {
	if s.activities != nil {
		return s.activities, nil
	}
	db, err := pgdb.Open(ctx, s.c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	s.atClose(func() error { db.Close(); return nil })
	payments, err := stripe.New(stripe.Config{URL: s.c.StripeURL, Key: s.c.StripeKey}, discard)
	if err != nil {
		return nil, fmt.Errorf("STRIPE_API_URL, STRIPE_API_KEY: %w", err)
	}
	catalog, err := catalogclient.New(catalogclient.Options{BaseURL: s.c.Catalog, Log: discard})
	if err != nil {
		return nil, fmt.Errorf("CATALOG_URL: %w", err)
	}
	s.atClose(func() error { catalog.Close(); return nil })
	events, err := rabbitmq.NewPublisher(rabbitmq.Config{URL: s.c.RabbitMQURL, Name: "bench", Log: discard})
	if err != nil {
		return nil, fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	s.atClose(events.Close)
	s.activities = &activities.Activities{
		Catalog: catalogadapter.New(catalog), Payments: payments, Orders: postgres.NewOrders(db.Pool), Events: events,
	}
	return s.activities, nil
}

var discard = slog.New(slog.DiscardHandler)

// step is one of the saga's steps. The steps of an order share what they learned.
type step func(context.Context) (any, error)

// steps are what the saga does for an undisturbed order, in its order.
func steps(a *activities.Activities, req order.Request) []step {
	var priced activities.PriceItemsResult
	var row order.Order
	var charged activities.ChargePaymentResult
	return []step{
		func(ctx context.Context) (_ any, err error) {
			priced, err = a.PriceItems(ctx, activities.PriceItemsInput{OrderID: req.ID, Items: req.Items})
			return priced, err
		},
		func(ctx context.Context) (_ any, err error) {
			row, err = a.CreateOrder(ctx, activities.CreateOrderInput{Order: order.Order{
				ID: req.ID, UserID: req.UserID, Status: order.Pending, Items: priced.Lines, Total: priced.Total,
				PaymentMethod: req.PaymentMethod, Hash: req.Hash,
			}})
			return row, err
		},
		func(ctx context.Context) (any, error) {
			return a.ReserveStock(ctx, activities.ReserveStockInput{
				OrderID: req.ID, Items: req.Items, ExpiresAt: time.Now().Add(holdFor),
			})
		},
		func(ctx context.Context) (_ any, err error) {
			charged, err = a.ChargePayment(ctx, row.Payment())
			return charged, err
		},
		func(ctx context.Context) (any, error) {
			return a.CommitStock(ctx, activities.OrderInput{OrderID: req.ID})
		},
		func(ctx context.Context) (_ any, err error) {
			confirmed, err := a.ConfirmOrder(ctx, activities.ConfirmOrderInput{OrderID: req.ID, PaymentID: charged.PaymentID})
			if err == nil && confirmed.Status != order.Confirmed {
				err = fmt.Errorf("order %s is %s", row.ID, confirmed.Status)
			}
			confirmed.Apply(&row)
			return confirmed, err
		},
		func(ctx context.Context) (any, error) { return a.PublishEvent(ctx, order.NewEvent(row)) },
	}
}

func startPlain(ctx context.Context, s *stack) (place, error) {
	a, err := s.openActivities(ctx)
	return func(ctx context.Context) (string, error) {
		for _, do := range steps(a, newRequest(goodCard)) {
			if _, err := do(ctx); err != nil {
				return "", err
			}
		}
		return "", nil
	}, err
}

// startDBOS makes the steps those of a DBOS workflow, in a database of its own. A recovered workflow would have to read
// what the steps learned from their recorded results; the benchmark recovers none.
func startDBOS(ctx context.Context, s *stack) (place, error) {
	a, err := s.openActivities(ctx)
	if err != nil {
		return nil, err
	}
	database, err := url.Parse(s.c.SuperuserURL)
	if err != nil {
		return nil, errors.New("TEST_POSTGRES_URL cannot be parsed")
	}
	database.Path = "/dbos"
	engine, err := dbos.NewDBOSContext(ctx, dbos.Config{AppName: "bench", DatabaseURL: database.String(), Logger: discard})
	if err != nil {
		return nil, fmt.Errorf("DBOS: %w", err)
	}
	createOrder := func(ctx dbos.DBOSContext, req order.Request) (order.ID, error) {
		for _, do := range steps(a, req) {
			if _, err := dbos.RunAsStep(ctx, dbos.Step[any](do)); err != nil {
				return "", err
			}
		}
		return req.ID, nil
	}
	dbos.RegisterWorkflow(engine, createOrder)
	if err := dbos.Launch(engine); err != nil {
		return nil, fmt.Errorf("DBOS: %w", err)
	}
	s.atClose(func() error { dbos.Shutdown(engine, callTimeout); return nil })
	return func(context.Context) (string, error) {
		run, err := dbos.RunWorkflow(engine, createOrder, newRequest(goodCard))
		if err != nil {
			return "", err
		}
		_, err = run.GetResult()
		return "", err
	}, nil
}
