package saga

import (
	"errors"
	"reflect"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ExecuteChild runs a child workflow as part of a step, under the child workflow options of ctx. It returns as [Execute]
// does: a child that fails is started again, with pauses, unless its error is a refusal, a failure for good or the outcome of
// a saga that was unwound. A child that was cancelled by others has failed for good. When the saga is interrupted, the child
// is cancelled, and waited for only if its options ask for that.
func ExecuteChild[O any](ctx workflow.Context, child any, args ...any) (O, error) {
	checkArguments(child, reflect.TypeFor[workflow.Context](), args)
	var out O
	err := currentScope(ctx).repeat(ctx, func(ctx workflow.Context) (workflow.Future, bool) {
		return workflow.ExecuteChildWorkflow(ctx, child, args...), workflow.GetChildWorkflowOptions(ctx).WaitForCancellation
	}, &out)
	return out, err
}

// ExecuteNexus runs a Nexus operation as part of a step. It returns as [Execute] does. The server retries what is broken. An
// operation that ends as failed has refused.
func ExecuteNexus[O any](
	ctx workflow.Context, client workflow.NexusClient, operation, in any, options workflow.NexusOperationOptions,
) (O, error) {
	var out O
	err := currentScope(ctx).repeat(ctx, func(ctx workflow.Context) (workflow.Future, bool) {
		return client.ExecuteOperation(ctx, operation, in, options), false
	}, &out)
	return out, err
}

// repeat runs what start starts until its result is settled. start also reports whether to wait until it has ended when it
// is cancelled.
func (s scope) repeat(ctx workflow.Context, start func(workflow.Context) (workflow.Future, bool), out any) error {
	return s.persist(ctx, func(ctx workflow.Context, _ bool) (error, bool) {
		running, cancel := workflow.WithCancel(ctx)
		future, waits := start(running)
		err := s.watch(ctx, func() error { return s.wait(ctx, true, future.IsReady) })
		if err == nil {
			err = remote(result(ctx, future, out))
		}
		cancel()
		if waits {
			await(ctx, future)
		}
		return err, false
	})
}

// remote says in the package's terms how a child workflow or a Nexus operation ended.
func remote(err error) error {
	var child *temporal.ChildWorkflowExecutionError
	var operation *temporal.NexusOperationError
	var handler *nexus.HandlerError
	cancelled := temporal.IsCanceledError(err)
	switch {
	case err == nil, isRefusal(err), isHelpless(err), temporal.IsTimeoutError(err):
		return err
	case errors.As(err, &child) && (cancelled || child.RetryState() == enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED):
		return finalError{err}
	case !errors.As(err, &operation):
		return err
	case cancelled:
		return finalError{err}
	case errors.As(err, &handler):
		if handler.Retryable() {
			return err
		}
		return finalError{err}
	}
	return Refuse(rootType(err), rootMessage(err), nil)
}

// Await waits until ready reports true, as part of a step: unlike workflow.Await it ends with the saga's deadline, with
// cancellation and when an operator gives up. Waiting is not broken, so it needs attention only once it lasts longer than
// the step's Patience, if that is set.
func Await(ctx workflow.Context, ready func() bool) error {
	s := currentScope(ctx)
	return s.watch(ctx, func() error { return s.await(ctx, ready) })
}

// await waits until ready, an interruption or an operator's skip; there is nothing to retry.
func (s scope) await(ctx workflow.Context, ready func() bool) error { return s.wait(ctx, false, ready) }

// Receive receives from a channel, for example an approval by signal, and otherwise waits as [Await] does. An error of more
// than the saga's interruption cannot happen: a channel that is closed yields the zero value.
func Receive[T any](ctx workflow.Context, channel workflow.ReceiveChannel) (T, error) {
	var out T
	received := false
	err := Await(ctx, func() bool {
		if !received {
			ok, more := channel.ReceiveAsyncWithMoreFlag(&out)
			received = ok || !more
		}
		return received
	})
	return out, err
}

// Sleep sleeps as part of a step, and otherwise waits as [Await] does.
func Sleep(ctx workflow.Context, d time.Duration) error {
	s := currentScope(ctx)
	return s.watch(ctx, func() error { return s.sleep(ctx, d, false) })
}

// errSlow says that a wait has outlived the patience of its step.
var errSlow = errors.New("it takes longer than it should")

// watch waits, and calls for attention once the wait has outlived the step's own patience. The wait goes on.
func (s scope) watch(ctx workflow.Context, wait func() error) error {
	if s.patience <= 0 {
		return wait()
	}
	c, ended := &call{}, false
	watching, stop := workflow.WithCancel(ctx)
	workflow.GoNamed(watching, s.name+" patience", func(ctx workflow.Context) {
		for pause := s.patience; !ended && workflow.Sleep(ctx, pause) == nil && !ended; pause = attentionWindow {
			s.run.callAttention(ctx, s, c, errSlow, 0)
		}
	})
	err := wait()
	ended = true
	stop()
	s.run.endAttention(ctx, s, c, err)
	return err
}
