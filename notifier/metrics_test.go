package notifier

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/ordersaga/ordersaga/internal/order"
)

func TestWhatWaitsInTheOutboxIsCountedWithItsAge(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	waiting := func(want int64) time.Duration {
		t.Helper()
		n, age, err := s.waiting(t.Context())
		if err != nil || n != want {
			t.Fatalf("%d deliveries wait, %v; want %d", n, err, want)
		}
		return age
	}
	if age := waiting(0); age != 0 {
		t.Errorf("in an empty outbox the oldest is %s old", age)
	}
	n := newNotifier(s, discard())
	n.mails = false
	if err := n.handle(t.Context(), messages(t, event(1, order.Confirmed), event(2, order.Failed))); err != nil {
		t.Fatal(err)
	}
	if age := waiting(2); age < 0 || age > time.Minute {
		t.Errorf("the oldest is %s old", age)
	}
	sendAll(t, newSender(s, nil, discard(), 1))
	waiting(0)
}

// The delivery may be made by another process than the one that has recorded the event.
func TestADeliveryBelongsToTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	batch := messages(t, event(1, order.Confirmed))
	batch[0].Trace = trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{4, 2}, SpanID: trace.SpanID{7}, TraceFlags: trace.FlagsSampled})
	if err := newNotifier(s, discard()).handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	d, err := s.claim(t.Context(), time.Minute)
	if err != nil || d == nil {
		t.Fatalf("claimed %v, %v", d, err)
	}
	ctx, end := traceAttempt(t.Context(), d)
	defer end(nil)
	if got := trace.SpanContextFromContext(ctx); got.TraceID() != batch[0].Trace.TraceID() {
		t.Errorf("the delivery %q has the trace %v", d.Traceparent, got)
	}
}
