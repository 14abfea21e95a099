//go:build histories

package workflows_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/workflows"
)

// recording is a path through the saga. It runs on a real server, and every later revision must replay its history.
type recording struct {
	method  string
	items   []order.Item
	prepare func(r *recorder)
	options worker.Options
	recover bool // by RecoverOrder
}

// recorder is a recording in progress. As an interceptor of the worker it disturbs calls of activities.
type recorder struct {
	interceptor.WorkerInterceptorBase
	t   *testing.T
	w   *world
	c   client.Client
	req order.Request

	mu    sync.Mutex
	calls map[string]int
	on    map[string][]func(ctx context.Context, call int) error
}

func (r *recorder) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	in := &disturbed{r: r}
	in.Next = next
	return in
}

type disturbed struct {
	interceptor.ActivityInboundInterceptorBase
	r *recorder
}

func (d *disturbed) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	name := activity.GetInfo(ctx).ActivityType.Name
	d.r.mu.Lock()
	call := d.r.calls[name]
	d.r.calls[name]++
	d.r.mu.Unlock()
	for _, do := range d.r.on[name] {
		if err := do(ctx, call); err != nil {
			return nil, err
		}
	}
	return d.Next.ExecuteActivity(ctx, in)
}

// at does something before a call of the activity, counted from 0.
func (r *recorder) at(name string, call int, do func(ctx context.Context) error) {
	r.on[name] = append(r.on[name], func(_ context.Context, now int) error {
		if now == call {
			if err := do(context.Background()); err != nil {
				r.t.Error(err)
			}
		}
		return nil
	})
}

func (r *recorder) cancel(ctx context.Context) error {
	return r.c.CancelWorkflow(ctx, r.req.ID.WorkflowID(), "")
}

func (r *recorder) signal(name, step string) func(context.Context) error {
	return func(ctx context.Context) error {
		command := saga.Command{Operator: "alice", Reason: "as agreed", Step: step}
		return r.c.SignalWorkflow(ctx, r.req.ID.WorkflowID(), "", name, command)
	}
}

// onceBroken sends a signal when the workflow says that it needs attention.
func (r *recorder) onceBroken(name, step string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				r.t.Error("the saga never needed attention")
				return
			case <-tick.C:
			}
			var metadata sdkpb.WorkflowMetadata
			value, err := r.c.QueryWorkflow(ctx, r.req.ID.WorkflowID(), "", "__temporal_workflow_metadata")
			if err == nil && value.Get(&metadata) == nil && strings.Contains(metadata.CurrentDetails, "needs attention") {
				if err := r.signal(name, step)(ctx); err != nil {
					r.t.Error(err)
				}
				return
			}
		}
	}()
}

var errWrongKey = saga.NeedsAttention(errors.New("the key is wrong"))

func fails(name string, n int, err error) func(*recorder) {
	return func(r *recorder) {
		r.on[name] = append(r.on[name], func(_ context.Context, call int) error {
			if call < n {
				return err
			}
			return nil
		})
	}
}

func lostHold(then ...func(*recorder)) func(*recorder) {
	return func(r *recorder) {
		fails("CommitStock", math.MaxInt, refusal("CommitStock"))(r)
		for _, f := range then {
			f(r)
		}
	}
}

// early makes the workflow believe that it started earlier, so that its deadline is near.
type early struct {
	interceptor.WorkerInterceptorBase
}

func (*early) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &earlyIn{}
	in.Next = next
	return in
}

type earlyIn struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *earlyIn) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &earlyOut{}
	out.Next = next
	return i.Next.Init(out)
}

type earlyOut struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *earlyOut) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.WorkflowStartTime = info.WorkflowStartTime.Add(3*time.Second - workflows.PivotTimeout)
	return &info
}

func interceptors(i ...interceptor.WorkerInterceptor) worker.Options {
	return worker.Options{Interceptors: i}
}

func lostAfter(steps int) func(*recorder) {
	return func(r *recorder) { lostRun(r.t, r.w, r.req, steps) }
}

var recordings = map[string]recording{
	"confirmed":         {method: visa},
	"declined":          {method: broke},
	"out-of-stock":      {method: visa, items: []order.Item{{ProductID: chair, Quantity: 2}}},
	"product-not-found": {method: visa, items: []order.Item{{ProductID: "unicorn", Quantity: 1}}},
	"mixed-currencies":  {method: visa, items: []order.Item{{ProductID: lamp, Quantity: 1}, {ProductID: inYen, Quantity: 1}}},
	"hold-lost":         {method: visa, prepare: lostHold()},

	"regular-activities": {method: visa, options: interceptors(saga.NoFastPath())},
	"fallback-early":     {method: visa, prepare: fails("PriceItems", 1, errBroken)},
	"fallback-late":      {method: visa, prepare: fails("ConfirmOrder", 2, errBroken)},
	"fallback-event":     {method: visa, prepare: fails("PublishEvent", 2, errBroken)},
	"fallback-fence":     {method: broke, prepare: fails("CloseOrder", 2, errBroken)},
	"fallback-refund":    {method: visa, prepare: lostHold(fails("RefundPayment", 2, errBroken))},
	"fallback-release":   {method: visa, prepare: lostHold(fails("ReleaseStock", 2, errBroken))},
	"fallback-finish":    {method: visa, prepare: lostHold(fails("FinishOrder", 2, errBroken))},

	"fallback-refused": {method: broke, prepare: fails("ChargePayment", 2, errBroken)},
	"fallback-twice": {method: visa, prepare: func(r *recorder) {
		fails("PriceItems", 1, errBroken)(r)
		fails("PublishEvent", 2, errBroken)(r)
	}},

	"cancelled-task-lost": {method: visa, prepare: func(r *recorder) { r.at("ReserveStock", 0, r.cancel) }},
	"cancelled-confirmed": {method: visa, prepare: func(r *recorder) {
		fails("PriceItems", 1, errBroken)(r)
		r.at("PublishEvent", 0, r.cancel)
	}},
	"cancelled-charging": {method: visa, prepare: func(r *recorder) {
		fails("PriceItems", 1, errBroken)(r)
		r.at("ChargePayment", 0, r.cancel)
	}},
	"cancel-update": {method: visa, prepare: func(r *recorder) {
		fails("ChargePayment", 3, errBroken)(r)
		r.at("ChargePayment", 1, func(context.Context) error {
			go func() { // it waits for the outcome
				_, err := r.c.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
					WorkflowID: r.req.ID.WorkflowID(), UpdateName: workflows.UpdateCancel, UpdateID: "cancel",
					WaitForStage: client.WorkflowUpdateStageAccepted,
					Args:         []any{workflows.CancelRequest{By: workflows.ByUser, Reason: "changed my mind"}},
				})
				if err != nil {
					r.t.Error(err)
				}
			}()
			return nil
		})
	}},
	"task-lost": {method: visa, prepare: func(r *recorder) { r.at("CommitStock", 0, r.signal(saga.SignalRetry, "")) }},
	"deadline":  {method: visa, prepare: fails("ChargePayment", 20, errBroken), options: interceptors(&early{})},

	"attention-healed":      {method: visa, prepare: fails("ChargePayment", 2, errWrongKey)},
	"attention-undo-healed": {method: visa, prepare: lostHold(fails("RefundPayment", 2, errWrongKey))},
	"operator-retry": {method: visa, prepare: func(r *recorder) {
		fails("ChargePayment", 2, errWrongKey)(r)
		r.onceBroken(saga.SignalRetry, "")
	}},
	"operator-compensate": {method: visa, prepare: func(r *recorder) {
		fails("ChargePayment", 20, errWrongKey)(r)
		r.onceBroken(saga.SignalCompensate, "")
	}},
	"operator-skip": {method: visa, prepare: lostHold(fails("RefundPayment", 20, errWrongKey),
		func(r *recorder) { r.onceBroken(saga.SignalSkip, "RefundPayment") })},
	"operator-mistaken": {method: visa, prepare: func(r *recorder) {
		fails("ChargePayment", 2, errWrongKey)(r)
		r.onceBroken(saga.SignalSkip, "")
	}},

	"recovered-missing":   {method: visa, recover: true, prepare: lostAfter(0)},
	"recovered-charged":   {method: visa, recover: true, prepare: lostAfter(4)},
	"recovered-confirmed": {method: visa, recover: true, prepare: lostAfter(6)},
}

// TestRecordHistories writes the histories that TestHistoriesReplay replays. See make histories.
func TestRecordHistories(t *testing.T) {
	address, _ := servicestest.Temporal(t)
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.Dial(client.Options{HostPort: address, Identity: "recorder", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, rec := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record(t, c, name, rec)
		})
	}
}

func record(t *testing.T, c client.Client, name string, rec recording) {
	r := &recorder{t: t, w: newWorld(), c: c, req: request(rec.method, rec.items...), calls: map[string]int{},
		on: map[string][]func(context.Context, int) error{}}
	r.req.ID = order.ID(uuid.NewHash(sha1.New(), uuid.Nil, []byte(name), 5).String())
	if rec.prepare != nil {
		rec.prepare(r)
	}
	queue := "history-" + name
	rec.options.Identity = "recorder"
	rec.options.Interceptors = append(rec.options.Interceptors, r)
	wk := worker.New(c, queue, rec.options)
	wk.RegisterWorkflow(workflows.CreateOrder)
	wk.RegisterWorkflow(workflows.RecoverOrder)
	wk.RegisterActivityWithOptions(r.w.activities(), activity.RegisterOptions{})
	if err := wk.Start(); err != nil {
		t.Fatal(err)
	}
	defer wk.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	id := r.start(ctx, queue, rec.recover)
	if err := c.GetWorkflow(ctx, id, "").Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	var history historypb.History
	for events := c.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if q := e.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue(); q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
			q.Name = "sticky" // it names the machine
		}
		history.Events = append(history.Events, e)
	}
	b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&history)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(historyFiles, name+".json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts the workflow as the API does, or as recovery does.
func (r *recorder) start(ctx context.Context, queue string, recovery bool) (id string) {
	workflow := workflows.CreateOrderWorkflow
	options := client.StartWorkflowOptions{ID: r.req.ID.WorkflowID(), TaskQueue: queue, WorkflowTaskTimeout: 5 * time.Second}
	if recovery {
		workflow = workflows.RecoverOrderWorkflow
		options = client.StartWorkflowOptions{ID: r.req.ID.RecoveryID(), TaskQueue: queue}
	}
	if _, err := r.c.ExecuteWorkflow(ctx, options, workflow, r.req); err != nil {
		r.t.Fatal(err)
	}
	return options.ID
}

// lostRun runs the first steps of the saga without a workflow that would remember them.
func lostRun(t *testing.T, w *world, req order.Request, steps int) {
	t.Helper()
	ctx, a := context.Background(), w.activities()
	var lines []order.Line
	var row order.Order
	do := []func() error{
		func() (err error) { lines, err = a.Catalog.PriceItems(ctx, req.Items); return err },
		func() (err error) {
			total, err := order.Total(lines)
			if err != nil {
				return err
			}
			row, err = a.Orders.Create(ctx, order.Order{ID: req.ID, UserID: req.UserID, Status: order.Pending,
				Items: lines, Total: total, PaymentMethod: req.PaymentMethod, Hash: req.Hash})
			return err
		},
		func() error { return a.Catalog.Reserve(ctx, req.ID, req.Items, time.Now().Add(time.Hour)) },
		func() error { _, err := a.Payments.Charge(ctx, row.Payment()); return err },
		func() error { return a.Catalog.Commit(ctx, req.ID) },
		func() error { _, err := a.Orders.Confirm(ctx, req.ID, "pi", nil); return err },
	}
	for i, step := range do[:steps] {
		if err := step(); err != nil {
			t.Fatalf("%s: %v", forwardSteps[i], err)
		}
	}
}
