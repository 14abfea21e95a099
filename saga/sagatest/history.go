package sagatest

import (
	"context"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// event is what a workflow has received, as a server's history would hold it.
type event struct {
	kind   eventKind
	id     string // of the call or timer
	name   string // of the activity; otherwise empty
	result *commonpb.Payloads
	err    error
	signal *interceptor.HandleSignalInput
	at     time.Time
	// lost is set when the task that ran when the event came was lost. When that was the first task, the workflow finds the
	// event when it begins.
	lost bool
}

// history is what a server has of one workflow.
type history struct {
	began  time.Time // the first task that was not lost
	events []event
}

type eventKind int

const (
	resultEvent eventKind = iota // of an activity or a timer
	signalEvent
	cancelEvent
)

// line is what one workflow receives in one run: first the past that the server remembers, then what happens.
type line struct {
	x         *Trial
	next      interceptor.WorkflowInboundInterceptor
	out       *outbound
	past      history
	inPast    map[string]bool // the calls whose results it has
	live      bool            // the past is over
	now       time.Time       // while it is not
	cancel    func()
	scheduled map[string]int
	waiting   map[string]*waiting // calls that may have a result in the past

	// Guarded by the trial's mutex.
	received []event
	relived  int // events of the past
	recorded int // how many of those the server has, apart from signals and cancel requests, which it always has
}

// waiting is a call whose result, if any, lies in the past.
type waiting struct{ result *event }

// receive keeps what the workflow has received.
func (l *line) receive(e event, recorded bool) {
	l.x.mu.Lock()
	defer l.x.mu.Unlock()
	if l.x.dead {
		panic("the worker is dead")
	}
	l.received = append(l.received, e)
	if recorded {
		l.recorded = len(l.received)
	}
	switch {
	case e.kind == signalEvent:
		l.x.note(Event{Kind: Signalled, Name: e.signal.SignalName})
	case e.kind == cancelEvent:
		l.x.note(Event{Kind: Cancelled})
	case e.name != "":
		l.x.note(Event{Kind: Received, Name: e.name, Err: e.err})
	}
}

// relive keeps an event of the past.
func (l *line) relive(e event) {
	l.receive(e, true)
	l.relived++
}

// taskEnded notes that the workflow task has ended: a regular activity only starts then. It is called with mu held.
func (l *line) taskEnded() { l.recorded = len(l.received) }

// remembered is what the server has when the worker dies now.
func (l *line) remembered() history {
	out := l.received[:l.recorded:l.recorded]
	for _, e := range l.received[l.recorded:] {
		if e.kind != resultEvent {
			e.lost = true
			out = append(out, e)
		}
	}
	return history{l.past.began, append(out, l.past.events[l.relived:]...)}
}

// apply gives a signal or a cancel request of the past to the workflow.
func (l *line) apply(ctx workflow.Context, e event) {
	l.relive(e)
	if e.kind == cancelEvent {
		l.cancel()
		return
	}
	if err := l.next.HandleSignal(ctx, e.signal); err != nil {
		panic(err)
	}
}

// replay gives the workflow its past, one event after the other. In between, it runs until it has nothing to do.
func (l *line) replay(ctx workflow.Context, past []event) {
	idle := func() { _ = l.out.Next.NewTimer(ctx, time.Millisecond).Get(ctx, nil) }
	for _, e := range past {
		idle()
		if e.kind != resultEvent {
			l.now = e.at
			l.apply(ctx, e)
			continue
		}
		for range 3 {
			if l.waiting[e.id] == nil {
				idle()
			}
		}
		w := l.waiting[e.id]
		if w == nil {
			l.x.strays = fmt.Sprintf("run again, the workflow did not wait for %s: is it deterministic?", e.id)
			break
		}
		l.relive(e)
		l.now, w.result = e.at, &e
	}
	idle()
	l.live = true
}

// runsAway bounds how often a run makes the same call: far more often than a saga does in an outage.
const runsAway = 300

// activity is the result of an activity. The server records it with the task that receives it.
func (l *line) activity(ctx workflow.Context, kind, name string, start func() workflow.Future) workflow.Future {
	if name == saga.CheckpointActivity {
		return l.future(ctx, name, "", false, start)
	}
	l.x.scheduled(name, l.live)
	return l.future(ctx, kind+name, name, false, start)
}

// future is the result of a call that start makes, or its result in the past. The server records the results of timers and
// child workflows by itself.
func (l *line) future(
	ctx workflow.Context, name, activity string, byServer bool, start func() workflow.Future,
) workflow.Future {
	l.scheduled[name]++
	if l.scheduled[name] > runsAway {
		panic(fmt.Sprintf("the workflow runs away: it asked for %s %d times", name, runsAway))
	}
	id := fmt.Sprintf("%s#%d", name, l.scheduled[name])
	w := &waiting{}
	l.waiting[id] = w
	var begun workflow.Future
	if l.live {
		begun = start()
	}
	future, settable := workflow.NewFuture(ctx)
	free, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(free, id, func(free workflow.Context) {
		if begun == nil {
			_ = workflow.Await(free, func() bool {
				return l.live || w.result != nil || ctx.Err() != nil && !l.inPast[id]
			})
			switch {
			case w.result != nil:
				settable.Set(payloads(w.result.result), w.result.err)
				return
			case !l.live:
				settable.Set(nil, temporal.NewCanceledError())
				return
			}
			begun = start()
		}
		var raw converter.RawValue
		e := event{id: id, name: activity}
		if e.err = begun.Get(free, nil); e.err == nil && !strings.HasPrefix(name, timerName) {
			if e.err = begun.Get(free, &raw); e.err == nil && raw.Payload() != nil {
				e.result = &commonpb.Payloads{Payloads: []*commonpb.Payload{raw.Payload()}}
			}
		}
		e.at = l.out.Next.Now(free)
		l.receive(e, byServer)
		settable.Set(payloads(e.result), e.err)
	})
	return future
}

// timerName begins the names of timers.
const timerName = "timer "

// payloads avoids an interface that holds a nil pointer.
func payloads(p *commonpb.Payloads) any {
	if p == nil {
		return nil
	}
	return p
}

// between sits between the workflows of one run and their activities.
type between struct {
	interceptor.WorkerInterceptorBase
	x   *Trial
	run int
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (b *between) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	a := &activityInbound{b: b}
	a.Next = next
	return a
}

type activityInbound struct {
	interceptor.ActivityInboundInterceptorBase
	b *between
}

func (a *activityInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	return a.b.x.callNow(ctx, a.b.run, in.Args, func(ctx context.Context) (any, error) { return a.Next.ExecuteActivity(ctx, in) })
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (b *between) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &inbound{line: &line{x: b.x, next: next, scheduled: map[string]int{}, waiting: map[string]*waiting{},
		inPast: map[string]bool{}}}
	in.Next = next
	return in
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	line *line
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	i.line.out = &outbound{line: i.line}
	i.line.out.Next = next
	return i.Next.Init(i.line.out)
}

func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	l, info := i.line, workflow.GetInfo(ctx)
	l.x.mu.Lock()
	l.x.lines[info.WorkflowExecution.ID] = l
	l.past = l.x.past[info.WorkflowExecution.ID]
	l.x.mu.Unlock()
	ctx, l.cancel = workflow.WithCancel(ctx)
	past := l.past.events
	for _, e := range past {
		l.inPast[e.id] = true
	}
	if len(past) == 0 || past[0].lost {
		l.past.began = l.out.Next.Now(ctx) // no task was recorded
	}
	l.now = l.past.began
	for len(past) > 0 && past[0].lost {
		l.apply(ctx, past[0])
		past = past[1:]
	}
	free, _ := workflow.NewDisconnectedContext(ctx)
	if l.live = len(past) == 0; !l.live {
		workflow.GoNamed(free, "history", func(ctx workflow.Context) { l.replay(ctx, past) })
	}
	if ctx.Err() == nil {
		workflow.GoNamed(free, "cancel requests", func(free workflow.Context) {
			ctx.Done().Receive(free, nil)
			if l.live {
				l.receive(event{kind: cancelEvent, at: l.out.Next.Now(free)}, false)
			}
		})
	}
	return i.Next.ExecuteWorkflow(ctx, in)
}

func (i *inbound) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	if i.line.x.isDead() {
		return nil
	}
	i.line.receive(event{kind: signalEvent, signal: in, at: i.line.out.Next.Now(ctx)}, false)
	return i.Next.HandleSignal(ctx, in)
}

func (i *inbound) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	i.line.x.updated(in.Name)
	return i.Next.ExecuteUpdate(ctx, in)
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	line *line
}

func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return o.line.activity(ctx, "", name, func() workflow.Future { return o.Next.ExecuteActivity(ctx, name, args...) })
}

func (o *outbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	return o.line.activity(ctx, "local ", name, func() workflow.Future {
		return o.Next.ExecuteLocalActivity(ctx, name, args...)
	})
}

func (o *outbound) ExecuteChildWorkflow(
	ctx workflow.Context, name string, args ...any,
) workflow.ChildWorkflowFuture {
	c := &child{}
	execution, settable := workflow.NewFuture(ctx)
	c.execution = execution
	c.Future = o.line.future(ctx, "child "+name, "", true, func() workflow.Future {
		c.begun = o.Next.ExecuteChildWorkflow(ctx, name, args...)
		if !execution.IsReady() {
			settable.Chain(c.begun.GetChildWorkflowExecution())
		}
		return c.begun
	})
	if id := workflow.GetChildWorkflowOptions(ctx).WorkflowID; c.begun == nil {
		settable.Set(workflow.Execution{ID: id}, nil)
	}
	return c
}

// child is the future of a child workflow, or of its result in the past.
type child struct {
	workflow.Future
	execution workflow.Future
	begun     workflow.ChildWorkflowFuture // nil while the child is in the past
}

func (c *child) GetChildWorkflowExecution() workflow.Future { return c.execution }

func (c *child) SignalChildWorkflow(ctx workflow.Context, signalName string, data any) workflow.Future {
	if c.begun != nil {
		return c.begun.SignalChildWorkflow(ctx, signalName, data)
	}
	future, settable := workflow.NewFuture(ctx)
	settable.Set(nil, nil) // it was signalled in the past
	return future
}

// GetInfo reports when the workflow first started.
func (o *outbound) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	if x := o.line.x; info.WorkflowExecution.ID == x.saga.ID && !x.recovering {
		info.WorkflowStartTime = x.start
	}
	return &info
}

func (o *outbound) Now(ctx workflow.Context) time.Time {
	if !o.line.live {
		return o.line.now
	}
	return o.Next.Now(ctx)
}

func (o *outbound) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	return o.NewTimerWithOptions(ctx, d, workflow.TimerOptions{})
}

func (o *outbound) NewTimerWithOptions(
	ctx workflow.Context, d time.Duration, options workflow.TimerOptions,
) workflow.Future {
	due := o.Now(ctx).Add(d)
	return o.line.future(ctx, timerName+options.Summary, "", true, func() workflow.Future {
		return o.Next.NewTimerWithOptions(ctx, max(due.Sub(o.Next.Now(ctx)), min(d, time.Millisecond)), options)
	})
}

func (o *outbound) Sleep(ctx workflow.Context, d time.Duration) error {
	return o.NewTimer(ctx, d).Get(ctx, nil)
}
