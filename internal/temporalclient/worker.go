package temporalclient

import (
	"time"

	"go.temporal.io/sdk/worker"
)

// WorkerOptions are the settings that all workers share: at most so many workflow tasks, local activities and activities
// at a time, each; and how long activities in hand may go on when the worker is told to stop.
func WorkerOptions(concurrency int, stopTimeout time.Duration) worker.Options {
	return worker.Options{
		MaxConcurrentActivityExecutionSize:      concurrency,
		MaxConcurrentLocalActivityExecutionSize: concurrency,
		MaxConcurrentWorkflowTaskExecutionSize:  concurrency,
		WorkerStopTimeout:                       stopTimeout,
		// The SDK adds pollers while tasks wait, and takes them away when none do.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	}
}
