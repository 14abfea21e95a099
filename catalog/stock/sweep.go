package stock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sweepBatch bounds how many reservations one sweep takes up; the next one goes on.
const sweepBatch = 200

// Sweep gives back holds whose time is up and finishes work that was left unfinished. Any number of sweeps may run at
// once. It returns how many reservations it took up; one that cannot be finished does not stop the others.
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
	unfinished, err := s.store.Due(ctx, Due{States: Unfinished(), UnchangedFor: now.Add(-s.grace), Limit: sweepBatch})
	if err != nil {
		return len(expired), errors.Join(append(errs, fmt.Errorf("find unfinished work: %w", err))...)
	}
	for _, r := range unfinished {
		if _, err := s.work(ctx, r, nil, atRest); err != nil {
			errs = append(errs, fmt.Errorf("finish reservation %s: %w", r.ID, err))
		}
	}
	return len(expired) + len(unfinished), errors.Join(errs...)
}

// sweepProduct gives back the expired holds on one product, for somebody who needs the units now, and returns how many
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

// expire ends a hold whose time is up and gives back its units. When somebody else has moved the reservation first, it
// helps them, because whoever asked for this wants the units.
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
		if n > 0 {
			s.log.Debug("swept", "reservations", n)
		}
	}
}
