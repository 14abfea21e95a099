package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// The outcomes of an attempt to deliver.
const (
	outcomeSent    = "sent"
	outcomeFailed  = "failed" // it is tried again
	outcomeGivenUp = "given_up"
)

// counters count what the notifier does.
type counters struct{ events, deliveries metric.Int64Counter }

// newCounters returns the process's counters. All series exist from the start: the first failure is then an increase.
func newCounters() counters {
	meter := otel.Meter("notifier")
	events, err := meter.Int64Counter("notifier.events",
		metric.WithDescription("Events consumed, by whether they were new or had been seen before."))
	deliveries, err2 := meter.Int64Counter("notifier.deliveries",
		metric.WithDescription("Attempts to deliver a notification, by channel and outcome."))
	if err := errors.Join(err, err2); err != nil {
		otel.Handle(err) // a mistake in the names above: the counters then count nothing
	}
	c := counters{events, deliveries}
	for _, fresh := range []bool{true, false} {
		c.consumed(context.Background(), fresh, 0)
	}
	for _, by := range []channel{toLog, toMail, toWebhook} {
		for _, outcome := range []string{outcomeSent, outcomeFailed, outcomeGivenUp} {
			c.delivered(context.Background(), by, outcome, 0)
		}
	}
	return c
}

// consumed counts n events that were new, or were not.
func (c counters) consumed(ctx context.Context, fresh bool, n int64) {
	c.events.Add(ctx, n, metric.WithAttributes(attribute.Bool("new", fresh)))
}

func (c counters) delivered(ctx context.Context, by channel, outcome string, n int64) {
	c.deliveries.Add(ctx, n, metric.WithAttributes(attribute.String("channel", string(by)), attribute.String("outcome", outcome)))
}

const (
	outboxPending = "notifier.outbox.pending"
	outboxAge     = "notifier.outbox.oldest.age"
)

// showOutbox shows what waits in the outbox until the caller calls stop.
func showOutbox(s *store, log *slog.Logger) (stop func(), err error) {
	return telemetry.Observe("notifier", log, []telemetry.Gauge{
		{Name: outboxPending, Help: "Deliveries that have not been made and are still tried."},
		{Name: outboxAge, Unit: "s", Help: "Age of the oldest delivery that has not been made and is still tried; 0 if there is none."},
	}, func(ctx context.Context) ([]telemetry.Reading, error) {
		count, age, err := s.waiting(ctx)
		return []telemetry.Reading{
			{Gauge: outboxPending, Value: float64(count)}, {Gauge: outboxAge, Value: age.Seconds()},
		}, err
	})
}

// waiting returns how many deliveries wait, and the age of the oldest.
func (s *store) waiting(ctx context.Context) (count int64, oldest time.Duration, err error) {
	var seconds float64
	err = s.pool.QueryRow(ctx, `
		SELECT count(*), coalesce(extract(epoch FROM greatest(now() - min(created_at), interval '0')), 0)::float8
		FROM outbox WHERE sent_at IS NULL AND given_up_at IS NULL`).Scan(&count, &seconds)
	if err != nil {
		return 0, 0, fmt.Errorf("count what waits in the outbox: %w", err)
	}
	return count, time.Duration(seconds * float64(time.Second)), nil
}
