package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/httpclient"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/internal/telemetry"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/saga"
)

// startTimeout bounds what must work before the worker takes its first task.
const startTimeout = 30 * time.Second

// Run is the program: it works until ctx is done.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	w, err := Open(c, log)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Run(ctx)
}

// Worker is a worker with its connection to Temporal, for a process that does more than work.
type Worker struct {
	// Temporal is the connection. Orders that this process starts on it bring their first workflow task with them.
	Temporal *temporalclient.Client
	// Decided, unless it is nil, gets each order right after the commit that decided its end. It must not block.
	Decided func(...order.Order)

	config Config
	log    *slog.Logger
}

// Open returns a worker that does not work yet. It connects to nothing. The caller closes it.
func Open(c Config, log *slog.Logger) (*Worker, error) {
	temporal, err := temporalclient.Open(c.Temporal, log)
	if err != nil {
		return nil, err
	}
	return &Worker{Temporal: temporal, config: c, log: log}, nil
}

// Close closes the connection to Temporal.
func (w *Worker) Close() { w.Temporal.Close() }

// Run works until ctx is done, or until the worker cannot go on.
func (w *Worker) Run(ctx context.Context) (err error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, log := w.config, w.log

	db, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer db.Close()
	if err := postgres.Migrate(starting, db.Pool); err != nil {
		return err
	}
	orders := postgres.NewOrders(db.Pool)
	refunds, shipments := postgres.NewRefunds(db.Pool), postgres.NewShipments(db.Pool)
	if orders.Changed, err = countOrders(); err != nil {
		return err
	}

	payments, err := stripe.New(stripe.Config{
		URL: c.StripeURL, Key: c.StripeKey, Transport: telemetry.Transport("gateway", httpclient.NewTransport()),
	}, log)
	if err != nil {
		return fmt.Errorf("STRIPE_API_URL, STRIPE_API_KEY: %w", err)
	}
	if err := checkGateway(starting, payments.Check, log); err != nil {
		return err
	}
	breakerChanged, err := watchBreaker()
	if err != nil {
		return err
	}
	token, err := c.CatalogToken.source()
	if err != nil {
		return err
	}
	catalog, err := catalogclient.New(catalogclient.Options{
		BaseURL: c.CatalogURL, Token: token, PriceAge: c.priceAge(), Log: log, OnStateChange: breakerChanged,
		Transport: telemetry.Transport("catalog", catalogclient.NewTransport()),
	})
	if err != nil {
		return fmt.Errorf("CATALOG_URL: %w", err)
	}
	defer catalog.Close()
	events, err := rabbitmq.NewPublisher(rabbitmq.Config{URL: c.RabbitMQURL, Name: "worker", Log: log})
	if err != nil {
		return fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	defer func() { err = errors.Join(err, events.Close()) }()

	if err := w.requireAttributes(starting, c.Temporal.NamespaceName()); err != nil {
		return err
	}
	sagas := temporalclient.NewWorkflows(w.Temporal, c.TaskQueue)
	if err := sagas.ScheduleRecovery(starting, c.RecoveryEvery); err != nil {
		return err
	}
	if err := sagas.ScheduleRefundLookups(starting, c.LookupEvery); err != nil {
		return err
	}

	stopShowing, err := observed{orders.Pending, sagas.Troubled}.show(log)
	if err != nil {
		return err
	}
	defer stopShowing()

	fatal := make(chan error, 1)
	sdk := newWorker(w.Temporal, c, fatal)
	stock := catalogadapter.New(catalog)
	sdk.RegisterActivity(&activities.Activities{
		Catalog: stock, Payments: payments, Orders: deciding{orders, w.Decided},
		Events: events, Alerts: events,
	})
	sdk.RegisterActivity(&activities.Settlement{Payments: payments, Orders: orders})
	sdk.RegisterActivity(&activities.Recovery{Workflows: sagas, Orders: orders, MinAge: c.RecoveryMinAge, Log: log})
	sdk.RegisterActivity(&activities.Refunding{
		Refunds: refunds, Gateway: payments, Catalog: stock, Events: events,
	})
	sdk.RegisterActivity(&activities.Shipping{Shipments: shipments, Events: events})
	sdk.RegisterActivity(&activities.Following{
		Gateway: payments, Payments: payments, Books: refunds, Orders: orders, Workflows: sagas,
	})
	sdk.RegisterActivity(&activities.BookRecovery{
		Workflows: sagas, Refunds: refunds, Shipments: shipments, MinAge: c.RecoveryMinAge,
	})
	probes := httpserver.Probes(map[string]httpserver.Check{"temporal": w.Temporal.Check, "postgres": db.Ready}, log)
	return serve(ctx, sdk, fatal, c, log, probes)
}

// newWorker returns a worker that knows the workflows. It says on fatal why it cannot go on.
func newWorker(temporal *temporalclient.Client, c Config, fatal chan<- error) worker.Worker {
	options := temporalclient.WorkerOptions(c.Concurrency, c.StopTimeout)
	options.OnFatalError = func(err error) {
		select {
		case fatal <- err:
		default: // one reason is enough
		}
	}
	if !c.FastPath {
		options.Interceptors = []interceptor.WorkerInterceptor{saga.NoFastPath()}
	}
	options.DeploymentOptions = c.Version.options()
	w := worker.New(temporal.SDK, c.TaskQueue, options)
	registerWorkflows(w)
	return w
}

// requireAttributes refuses to work in a namespace where a saga that needs attention could not say so.
func (w *Worker) requireAttributes(ctx context.Context, namespace string) error {
	err := saga.CheckAttributes(ctx, w.Temporal.SDK, namespace, saga.DefaultAttributes())
	var denied *serviceerror.PermissionDenied
	var unimplemented *serviceerror.Unimplemented
	if errors.As(err, &denied) || errors.As(err, &unimplemented) {
		w.log.Warn("make sure that the namespace has the saga's search attributes", "error", err.Error())
		return nil
	}
	return err
}

// serve works until ctx is done or the worker cannot go on. Probes and /metrics can be reached once the worker has started.
func serve(
	ctx context.Context, w worker.Worker, fatal <-chan error, c Config, log *slog.Logger, health http.Handler,
) error {
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	probes := make(chan error, 1)
	go func() { probes <- httpserver.Serve(ctx, c.Addr, httpserver.TLS{}, health, log) }()

	log.Info("working", "taskQueue", c.TaskQueue, "fastPath", c.FastPath,
		"deployment", c.Version.Deployment, "build", c.Version.BuildID)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-fatal:
	case failed = <-probes:
		probes <- nil
	}
	log.Info("stopping", "timeout", c.StopTimeout.String())
	w.Stop()
	stop()
	return errors.Join(failed, <-probes)
}
