package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ordersaga/ordersaga/api"
	"github.com/ordersaga/ordersaga/worker"
)

// config is that of both programs. The worker comes first: where both read a variable, its help says more.
type config struct {
	Worker worker.Config
	API    api.Config
}

// run runs the api and a worker on one connection to Temporal. Starting an order brings back its first workflow task, which
// this worker executes, and the worker's commits wake the requests that wait for them. Workers elsewhere take what this one
// has no room for and what is retried.
//
// When ctx is done the api takes no more requests, and the worker stops after it. A worker that cannot go on stops the api.
func run(ctx context.Context, c config, log *slog.Logger) error {
	w, err := worker.Open(c.Worker, log)
	if err != nil {
		return err
	}
	defer w.Close()
	outcomes := api.NewOutcomes()
	w.Decided = outcomes.Decided

	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	worked := make(chan error, 1)
	go func() {
		defer stopServing()
		worked <- w.Run(working)
	}()
	served := api.RunOn(serving, c.API, log, w.Temporal, outcomes)
	stopWorking()
	return errors.Join(served, <-worked)
}
