package telemetry

import (
	"context"
	"sync"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// together passes on the spans of a request, or of an attempt, when the outermost of them in this process has ended. If the
// process is killed before, none of them was sent: a call would otherwise be without the attempt that made it.
type together struct {
	sdk.SpanProcessor          // gets the spans
	open              sync.Map // from the spanKey of an open span to its *group
}

// spanKey identifies a span.
type spanKey struct {
	trace trace.TraceID
	span  trace.SpanID
}

func keyOf(sc trace.SpanContext) spanKey { return spanKey{sc.TraceID(), sc.SpanID()} }

// group is an outermost span with what ended before it.
type group struct {
	outermost spanKey
	mu        sync.Mutex
	ended     bool
	waiting   []sdk.ReadOnlySpan
}

// maxWaiting bounds a group, for work that never ends. Further spans are passed on at once.
const maxWaiting = 500

func (t *together) OnStart(ctx context.Context, s sdk.ReadWriteSpan) {
	key := keyOf(s.SpanContext())
	in := &group{outermost: key}
	if parent := s.Parent(); parent.IsValid() && !parent.IsRemote() {
		if found, ok := t.open.Load(keyOf(parent)); ok {
			in = found.(*group)
		}
	}
	t.open.Store(key, in)
	t.SpanProcessor.OnStart(ctx, s)
}

func (t *together) OnEnd(s sdk.ReadOnlySpan) {
	key := keyOf(s.SpanContext())
	found, ok := t.open.LoadAndDelete(key)
	if !ok {
		return // it is not recorded
	}
	for _, ready := range found.(*group).end(key, s) {
		t.SpanProcessor.OnEnd(ready)
	}
}

// end adds a span that has ended, and returns what can be passed on.
func (g *group) end(key spanKey, s sdk.ReadOnlySpan) []sdk.ReadOnlySpan {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case key == g.outermost:
		ready := append(g.waiting, s)
		g.ended, g.waiting = true, nil
		return ready
	case g.ended || len(g.waiting) >= maxWaiting:
		return []sdk.ReadOnlySpan{s}
	}
	g.waiting = append(g.waiting, s)
	return nil
}
