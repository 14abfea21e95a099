package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// emptyWorkerCommand makes this program a worker. It is one to the modes what the real worker is to the orders: a process
// of its own with the same settings.
const emptyWorkerCommand = "empty-worker"

// workerConcurrency and workerStopTimeout are the worker program's defaults.
const (
	workerConcurrency = 200
	workerStopTimeout = 20 * time.Second
)

// Empty is the workflow that does nothing.
func Empty(workflow.Context) error { return nil }

type emptyWorkerConfig struct {
	Temporal  temporalclient.Config
	TaskQueue string `env:"TASK_QUEUE,required,notEmpty" help:"Temporal task queue"`
}

func runEmptyWorker(ctx context.Context, c emptyWorkerConfig, log *slog.Logger) error {
	temporal, err := temporalclient.Open(c.Temporal, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	fatal := make(chan error, 1)
	options := temporalclient.WorkerOptions(workerConcurrency, workerStopTimeout)
	options.OnFatalError = func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	w := worker.New(temporal, c.TaskQueue, options)
	w.RegisterWorkflow(Empty)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	defer w.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}
