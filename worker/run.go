package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/internal/telemetry"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/workflows"
)

// startTimeout bounds what must work before the worker takes its first task.
const startTimeout = 30 * time.Second

func Run(ctx context.Context, c Config, log *slog.Logger) (err error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	pool, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer pool.Close()
	if err := postgres.Migrate(starting, pool); err != nil {
		return err
	}
	orders := postgres.NewOrders(pool)

	payments, err := stripe.New(stripe.Config{URL: c.StripeURL, Key: c.StripeKey}, log)
	if err != nil {
		return fmt.Errorf("STRIPE_API_URL, STRIPE_API_KEY: %w", err)
	}
	if err := checkGateway(starting, payments.Check, log); err != nil {
		return err
	}
	metrics, err := telemetry.New()
	if err != nil {
		return err
	}
	breakerChanged, err := watchBreaker(metrics.Meter("worker"))
	if err != nil {
		return err
	}
	token, err := c.CatalogToken.source()
	if err != nil {
		return err
	}
	catalog, err := catalogclient.New(catalogclient.Options{
		BaseURL: c.CatalogURL, Token: token, PriceAge: c.priceAge(), Log: log, OnStateChange: breakerChanged,
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

	measured := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: metrics.Meter("temporal")})
	temporal, err := temporalclient.Open(c.Temporal, log, temporalclient.Metrics(measured))
	if err != nil {
		return err
	}
	defer temporal.Close()
	sagas := temporalclient.Sagas{
		Client: temporal, TaskQueue: c.TaskQueue,
		CreateType: workflows.CreateOrderWorkflow, RecoverType: workflows.RecoverOrderWorkflow,
	}
	if err := requireAttributes(starting, temporal, c, log); err != nil {
		return err
	}
	if err := scheduleRecovery(starting, temporal, c); err != nil {
		return err
	}

	fatal := make(chan error, 1)
	w := newWorker(temporal, c, fatal)
	w.RegisterActivity(&activities.Activities{Catalog: catalogadapter.New(catalog), Payments: payments, Orders: orders, Events: events, Alerts: events})
	w.RegisterActivity(&activities.Settlement{Payments: payments, Orders: orders})
	w.RegisterActivity(&activities.Recovery{Workflows: sagas, Orders: orders, MinAge: c.RecoveryMinAge, Log: log})
	probes := httpserver.Probes(map[string]httpserver.Check{
		"temporal": temporalclient.Check(temporal),
		"postgres": pool.Ping,
	}, log)
	return serve(ctx, w, fatal, c, log, withMetrics(probes, metrics))
}

// newWorker returns a worker that knows the workflows. It says on fatal why it cannot go on.
func newWorker(temporal client.Client, c Config, fatal chan<- error) worker.Worker {
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
	w := worker.New(temporal, c.TaskQueue, options)
	registerWorkflows(w)
	return w
}

// requireAttributes refuses to work in a namespace in which a saga in trouble could not say so.
func requireAttributes(ctx context.Context, temporal client.Client, c Config, log *slog.Logger) error {
	err := temporalclient.RequireSearchAttributes(ctx, temporal, c.Temporal.NamespaceName(),
		saga.AttributeStatus.GetName(), saga.AttributeStep.GetName(), saga.AttributeError.GetName())
	if errors.Is(err, temporalclient.ErrAttributesUnknown) {
		log.Warn("make sure that the namespace has the saga's search attributes", "error", err.Error())
		return nil
	}
	return err
}

// scheduleRecovery makes the server search for interrupted orders from time to time. Every worker does it at its start;
// there is one schedule for a task queue.
func scheduleRecovery(ctx context.Context, temporal client.Client, c Config) error {
	id := "recover-" + c.TaskQueue
	return temporalclient.Every(ctx, temporal, id, c.RecoveryEvery, client.ScheduleWorkflowAction{
		ID:        id,
		Workflow:  workflows.RecoverOrdersWorkflow,
		TaskQueue: c.TaskQueue,
		// A search has nothing to undo, and one that hangs must not keep the next from starting. Six hours are enough for some
		// 500,000 interrupted orders.
		WorkflowRunTimeout: 6 * time.Hour,
	})
}

// serve works until ctx is done or the worker cannot go on, and answers probes and /metrics meanwhile.
func serve(
	ctx context.Context, w worker.Worker, fatal <-chan error, c Config, log *slog.Logger, health http.Handler,
) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	probes := make(chan error, 1)
	go func() { probes <- httpserver.Serve(ctx, c.Addr, health, log) }()

	if err := w.Start(); err != nil {
		stop()
		return errors.Join(fmt.Errorf("start the worker: %w", err), <-probes)
	}
	log.Info("working", "taskQueue", c.TaskQueue, "fastPath", c.FastPath, "deployment", c.Version.Deployment, "build", c.Version.BuildID)
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
