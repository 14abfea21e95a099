package stock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Service runs the protocol on a Store. Any number of services may share one store.
type Service struct {
	store   Store
	now     func() time.Time
	later   func(task func(context.Context))
	epochs  *epochs
	log     *slog.Logger
	grace   time.Duration
	pruneAt int
	pruning sync.Map // the IDs of products that this service is pruning
}

// Options configure a Service. The zero value works.
type Options struct {
	// Now is the clock for expiry; time.Now by default.
	Now func() time.Time
	// Later runs work in the background; see Background. By default it runs at once, so that every call returns only when
	// all its work is done.
	Later func(task func(context.Context))
	// Grace is how long a sweep leaves unfinished work to the call that began it; 5 s by default.
	Grace time.Duration
	// PruneAt is the number of marks from which on a product is pruned; 64 by default.
	PruneAt int
	Log     *slog.Logger // slog.Default by default
}

// New returns a Service.
func New(store Store, o Options) *Service {
	s := &Service{
		store: store, now: o.Now, later: o.Later, epochs: newEpochs(),
		log: cmp.Or(o.Log, slog.Default()), grace: cmp.Or(o.Grace, 5*time.Second), pruneAt: cmp.Or(o.PruneAt, 64),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.later == nil {
		s.later = func(task func(context.Context)) { task(context.Background()) }
	}
	return s
}

// wrap says in an error, if there is one, what failed.
func wrap(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf(format+": %w", append(args, *err)...)
	}
}

// Reserve holds all lines for the order until expiresAt, or none. Lines with the same product are summed first. Calling it
// again returns what the first call decided; another expiry is ignored.
//
// Errors: *ShortError; *UnknownError if a product does not exist; ErrExpired and ErrReleased if that has happened to the
// order's reservation; ErrConflict if it has other lines; ErrLines; ErrTooLong if it would expire later than in MaxHold.
func (s *Service) Reserve(ctx context.Context, id string, lines []Line, expiresAt time.Time) (_ Reservation, err error) {
	defer wrap(&err, "reserve stock for order %s", id)
	if lines, err = Sum(lines); err != nil {
		return Reservation{}, err
	}
	if expiresAt.Sub(s.now()) > MaxHold {
		return Reservation{}, ErrTooLong
	}
	r, err := s.reserve(ctx, id, lines, expiresAt)
	if err == nil && (r.State == Releasing || r.State == Released) {
		err = r.refusal()
	}
	return r, err
}

func (s *Service) reserve(ctx context.Context, id string, lines []Line, expiresAt time.Time) (Reservation, error) {
	now := s.now()
	if !expiresAt.After(now) {
		return s.repeated(ctx, id, lines, ErrExpired)
	}
	views, err := s.firstViews(ctx, id, lines)
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		return s.repeated(ctx, id, lines, unknown)
	}
	if err != nil {
		return Reservation{}, err
	}
	// The views, and so their epochs, must be older than the reservation.
	r := Reservation{ID: id, State: Holding, Lines: lines, ExpiresAt: expiresAt, CreatedAt: now, UpdatedAt: now}
	err = s.store.Insert(ctx, r)
	if errors.Is(err, ErrExists) {
		return s.repeated(ctx, id, lines, nil)
	}
	if err != nil {
		return Reservation{}, err
	}
	return s.work(ctx, r, views, atDecision)
}

// firstViews returns how a reservation that does not exist yet sees its products. If all their epochs are known, it reads
// nothing: there can be no marks yet, and the guards decide whether enough is available.
func (s *Service) firstViews(ctx context.Context, id string, lines []Line) (map[string]View, error) {
	if views, ok := s.epochs.views(lines); ok {
		return views, nil
	}
	views, err := s.view(ctx, id, lines)
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, l := range lines {
		if v, ok := views[l.ProductID]; !ok || v.Deleted {
			unknown = append(unknown, l.ProductID)
		}
	}
	if unknown != nil {
		return nil, &UnknownError{unknown}
	}
	return views, nil
}

// repeated handles a reserve of an order that may already have a reservation. If it has none, it returns absent.
func (s *Service) repeated(ctx context.Context, id string, lines []Line, absent error) (Reservation, error) {
	r, err := s.store.Reservation(ctx, id)
	if errors.Is(err, ErrNotFound) && absent != nil {
		return Reservation{}, absent
	}
	if err != nil {
		return Reservation{}, err
	}
	if r.Lines != nil && !slices.Equal(r.Lines, lines) {
		return Reservation{}, ErrConflict
	}
	if r.State == Holding {
		return s.work(ctx, r, nil, atDecision)
	}
	return r, nil
}

// Commit sells what the order holds. Calling it again succeeds.
//
// Errors: ErrNotFound; ErrExpired, ErrReleased or *ShortError if that has happened to the reservation.
func (s *Service) Commit(ctx context.Context, id string) (_ Reservation, err error) {
	defer wrap(&err, "commit stock of order %s", id)
	return untilDecided(ctx, id, s.commit)
}

// untilDecided repeats a call until it has decided, because others may get in first.
func untilDecided(
	ctx context.Context, id string, call func(context.Context, string) (Reservation, bool, error),
) (Reservation, error) {
	for range maxRounds {
		if r, decided, err := call(ctx, id); decided || err != nil {
			return r, err
		}
	}
	return Reservation{}, ErrBusy
}

// commit tries once. It reports false if the reservation was in another state than HELD, which commit has dealt with.
func (s *Service) commit(ctx context.Context, id string) (Reservation, bool, error) {
	now := s.now()
	r, won, err := s.store.Change(ctx, Change{ID: id, From: Held, To: Sold, UnexpiredAt: now, At: now})
	if err != nil || won {
		return r, won, err
	}
	if r, err = s.store.Reservation(ctx, id); err != nil {
		return Reservation{}, false, err
	}
	switch r.State {
	case Holding:
		_, err = s.work(ctx, r, nil, atRest)
		return r, false, err
	case Held:
		return s.expireAtCommit(ctx, r, now)
	case Sold, Returning:
		return r, true, nil
	}
	return r, false, r.refusal()
}

// expireAtCommit ends an expired hold. It refuses the commit only if it wins the change: the clock alone decides nothing,
// because another instance's clock may have let a commit pass.
func (s *Service) expireAtCommit(ctx context.Context, r Reservation, now time.Time) (Reservation, bool, error) {
	if r.ExpiresAt.After(now) {
		return r, false, nil // it has just become HELD: commit again
	}
	r, won, err := s.store.Change(ctx, Change{ID: r.ID, From: Held, To: Releasing, Why: WhyExpired, At: now})
	if err != nil || !won {
		return r, false, err
	}
	s.doLater("finish", r.ID, func(ctx context.Context) error {
		_, err := s.work(ctx, r, allTaken(r.Lines), atRest)
		return err
	})
	return r, false, ErrExpired
}

// Release gives back what the order holds, or has bought and not returned, and makes every later reserve of it fail, even if
// there was nothing to release. It returns when all units are for sale again. Calling it again succeeds. The caller
// guarantees that the order will not be confirmed.
func (s *Service) Release(ctx context.Context, id string) (_ Reservation, err error) {
	defer wrap(&err, "release stock of order %s", id)
	return untilDecided(ctx, id, s.release)
}

// release tries once. It reports false if another call has moved the reservation meanwhile.
func (s *Service) release(ctx context.Context, id string) (Reservation, bool, error) {
	now := s.now()
	r, err := s.store.Reservation(ctx, id)
	if errors.Is(err, ErrNotFound) {
		r = Reservation{ID: id, State: Released, Why: WhyReleased, CreatedAt: now, UpdatedAt: now}
		err = s.store.Insert(ctx, r)
		if errors.Is(err, ErrExists) {
			return r, false, nil // a reserve got in first
		}
		return r, err == nil, err
	}
	if err != nil {
		return Reservation{}, false, err
	}
	switch r.State {
	case Released:
		return r, true, nil
	case Returning, Releasing:
		r, err = s.work(ctx, r, nil, atRest)
		return r, r.State == Released, err
	}
	views, err := s.view(ctx, id, r.Lines)
	if err != nil {
		return r, false, err
	}
	r, won, err := s.store.Change(ctx, Change{
		ID: id, From: r.State, Generation: r.Generation(), To: Releasing, Why: WhyReleased, At: now,
	})
	if err != nil || !won {
		return r, false, err
	}
	r, err = s.work(ctx, r, views, atRest)
	return r, r.State == Released, err
}

// Reservation returns the order's reservation, or ErrNotFound.
func (s *Service) Reservation(ctx context.Context, id string) (_ Reservation, err error) {
	defer wrap(&err, "read the reservation of order %s", id)
	return s.store.Reservation(ctx, id)
}
