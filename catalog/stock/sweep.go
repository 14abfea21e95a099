package stock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// sweepBatch bounds how much of each kind one sweep takes on; the next sweep takes the rest.
const sweepBatch = 200

// Sweep gives back holds that have expired and finishes work that was left unfinished. Any number of sweeps may run at
// once. It returns how many reservations and adjustments it took on. One that cannot be finished does not stop the others.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	now := s.now()
	expired, err := s.store.Due(ctx, Due{States: Expiring(), ExpiredBy: now, Limit: sweepBatch})
	if err != nil {
		return 0, fmt.Errorf("find expired holds: %w", err)
	}
	var errs []error
	for _, r := range expired {
		errs = append(errs, s.expire(ctx, r))
	}
	left := now.Add(-s.grace)
	unfinished, err := s.store.Due(ctx, Due{States: Unfinished(), UnchangedFor: left, Limit: sweepBatch})
	if err != nil {
		errs = append(errs, fmt.Errorf("find unfinished reservations: %w", err))
	}
	for _, r := range unfinished {
		if _, err := s.work(ctx, r, nil, atRest); err != nil {
			errs = append(errs, fmt.Errorf("finish reservation %s: %w", r.ID, err))
		}
	}
	pending, err := s.store.PendingAdjustments(ctx, left, sweepBatch)
	if err != nil {
		errs = append(errs, fmt.Errorf("find pending adjustments: %w", err))
	}
	for _, id := range pending {
		if _, err := s.finishAdjustment(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("finish adjustment %s: %w", id, err))
		}
	}
	return len(expired) + len(unfinished) + len(pending), errors.Join(errs...)
}

// sweepProduct gives back the expired holds on one product, for a caller that needs the units now, and returns how many
// there were.
func (s *Service) sweepProduct(ctx context.Context, productID string) (int, error) {
	expired, err := s.store.Due(ctx, Due{States: Expiring(), ExpiredBy: s.now(), ProductID: productID, Limit: sweepBatch})
	if err != nil {
		return 0, fmt.Errorf("find expired holds on product %s: %w", productID, err)
	}
	for _, r := range expired {
		if err := s.expire(ctx, r); err != nil {
			return 0, err
		}
	}
	return len(expired), nil
}

// expire ends an expired hold and gives back its units. If another call has moved the reservation first, it finishes that
// call's work, because its own caller wants the units.
func (s *Service) expire(ctx context.Context, hold Reservation) error {
	_, _, err := s.store.Change(ctx, Change{ID: hold.ID, From: hold.State, To: Releasing, Why: WhyExpired, At: s.now()})
	if err == nil {
		_, err = s.work(ctx, hold, nil, atRest)
	}
	if err != nil {
		return fmt.Errorf("expire reservation %s: %w", hold.ID, err)
	}
	return nil
}

// RunSweeper sweeps at the interval until ctx is done. Several instances may do so.
func (s *Service) RunSweeper(ctx context.Context, interval time.Duration) {
	swept, err := otel.Meter("catalog").Int64Counter("catalog.swept",
		metric.WithDescription("Reservations and adjustments that sweeps took on: expired holds and unfinished work."))
	if err != nil {
		otel.Handle(err)
	}
	swept.Add(ctx, 0)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("sweep", "error", err.Error())
		}
		swept.Add(ctx, int64(n))
		if n > 0 {
			s.log.Debug("swept", "count", n)
		}
	}
}
