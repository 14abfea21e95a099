package temporalclient

import (
	"time"

	"go.temporal.io/sdk/worker"
)

// WorkerOptions returns the settings that all workers share. Concurrency bounds workflow tasks, local activities and regular
// activities, each; stopTimeout is how long running activities may take once the worker is asked to stop.
func WorkerOptions(concurrency int, stopTimeout time.Duration) worker.Options {
	return worker.Options{
		MaxConcurrentActivityExecutionSize:      concurrency,
		MaxConcurrentLocalActivityExecutionSize: concurrency,
		MaxConcurrentWorkflowTaskExecutionSize:  concurrency,
		WorkerStopTimeout:                       stopTimeout,
		// By default the SDK calls it a deadlock when workflow code does not get the processor for a second, and abandons the
		// coroutine while it runs, which is a data race. On a starved machine that is no deadlock. A task that has not ended
		// within its own timeout is lost anyway.
		DeadlockDetectionTimeout: workflowTaskTimeout,
		// The SDK adds pollers while tasks wait, and takes them away when none do.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	}
}
