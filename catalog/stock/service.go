package stock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Service runs the protocol over a Store. Any number of services may share one store.
type Service struct {
	store  Store
	now    func() time.Time
	later  func(task func(context.Context))
	epochs *epochs
	log    *slog.Logger
	grace  time.Duration
	tidy   tidying
}

// Options are what a Service can be given besides its store. The zero value works.
type Options struct {
	// Now is the clock that expiry is measured by; time.Now by default.
	Now func() time.Time
	// Later takes work that nobody waits for; see Background. By default it is done at once, which makes every call
	// answer only when all its work is done.
	Later func(task func(context.Context))
	// Grace is how long unfinished work is left to whoever began it before a sweep takes it up; 5 s by default.
	Grace time.Duration
	// PruneAt is the number of marks on a product from which on they are pruned; 64 by default.
	PruneAt int
	Log     *slog.Logger // slog.Default by default
}

// New returns a Service.
func New(store Store, o Options) *Service {
	s := &Service{store: store, now: o.Now, later: o.Later, epochs: newEpochs(), log: o.Log, grace: o.Grace}
	if s.now == nil {
		s.now = time.Now
	}
	if s.later == nil {
		s.later = func(task func(context.Context)) { task(context.Background()) }
	}
	if s.grace == 0 {
		s.grace = 5 * time.Second
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.tidy.at = o.PruneAt
	if s.tidy.at == 0 {
		s.tidy.at = 64
	}
	return s
}

// Reserve holds all lines for the order until expiresAt, or none. Equal products are summed first. A repetition answers
// what the first call decided, also when it comes with another expiry, which is then ignored.
//
// Errors: *ShortError; *UnknownError, when a product does not exist; ErrExpired, ErrReleased and ErrConflict, when that
// is what became of the order's reservation; ErrLines.
func (s *Service) Reserve(ctx context.Context, id string, lines []Line, expiresAt time.Time) (Reservation, error) {
	lines, err := Sum(lines)
	if err != nil {
		return Reservation{}, err
	}
	r, err := s.reserve(ctx, id, lines, expiresAt)
	if err == nil && (r.State == Releasing || r.State == Released) {
		err = r.refusal()
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("reserve stock for order %s: %w", id, err)
	}
	return r, nil
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
	// From here on the order's reservation exists, and the views (with their epochs) are older than it.
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

// firstViews returns what a reservation that nobody has heard of yet sees of its products. When all their epochs are
// known this asks nobody: there can be no marks, and the guards will tell whether enough is available.
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

// repeated answers a reserve from the reservation that exists; when there is none, with the error absent.
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

// Commit turns what the order holds into a sale. A repetition succeeds.
//
// Errors: ErrNotFound; ErrExpired, ErrReleased or *ShortError, when that is what became of the reservation.
func (s *Service) Commit(ctx context.Context, id string) (Reservation, error) {
	for range maxRounds {
		r, decided, err := s.commit(ctx, id)
		if err != nil {
			return Reservation{}, fmt.Errorf("commit stock of order %s: %w", id, err)
		}
		if decided {
			return r, nil
		}
	}
	return Reservation{}, fmt.Errorf("commit stock of order %s: %w", id, ErrBusy)
}

// commit tries once; false means that the reservation was in between and is to be looked at again.
func (s *Service) commit(ctx context.Context, id string) (Reservation, bool, error) {
	now := s.now()
	r, won, err := s.store.Change(ctx, Change{ID: id, From: Held, To: Committing, UnexpiredAt: now, At: now})
	if err != nil {
		return Reservation{}, false, err
	}
	if won {
		s.finishLater(r, marked(r.Lines, MarkHeld))
		r.State = Sold // that is decided
		return r, true, nil
	}
	r, err = s.store.Reservation(ctx, id)
	if err != nil {
		return Reservation{}, false, err
	}
	switch r.State {
	case Holding:
		_, err = s.work(ctx, r, nil, atRest)
		return r, false, err
	case Held:
		return s.expireAtCommit(ctx, r, now)
	case Committing:
		s.finishLater(r, nil)
		r.State = Sold
		return r, true, nil
	case Sold:
		return r, true, nil
	case Releasing, Released:
		return r, false, r.refusal()
	}
	return r, false, ErrNotFound // a restocking
}

// expireAtCommit ends a hold whose time is up. Only when this call has ended it is the commit refused: the clock alone
// decides nothing, because another instance's clock may have let a commit pass.
func (s *Service) expireAtCommit(ctx context.Context, r Reservation, now time.Time) (Reservation, bool, error) {
	if r.ExpiresAt.After(now) {
		return r, false, nil // it became HELD just now: commit again
	}
	r, won, err := s.store.Change(ctx, Change{ID: r.ID, From: Held, To: Releasing, Why: WhyExpired, At: now})
	if err != nil || !won {
		return r, false, err
	}
	s.finishLater(r, marked(r.Lines, MarkHeld))
	return r, false, ErrExpired
}

// Release gives back what the order holds or has bought, and refuses any later reserve of it, also when there was
// nothing to release. It answers when all units are for sale again. A repetition succeeds. The caller guarantees that
// the order is not to be confirmed any more.
func (s *Service) Release(ctx context.Context, id string) (Reservation, error) {
	for range maxRounds {
		r, decided, err := s.release(ctx, id)
		if err != nil {
			return Reservation{}, fmt.Errorf("release stock of order %s: %w", id, err)
		}
		if decided {
			return r, nil
		}
	}
	return Reservation{}, fmt.Errorf("release stock of order %s: %w", id, ErrBusy)
}

func (s *Service) release(ctx context.Context, id string) (Reservation, bool, error) {
	now := s.now()
	r, err := s.store.Reservation(ctx, id)
	if errors.Is(err, ErrNotFound) {
		r = Reservation{ID: id, State: Released, Why: WhyReleased, CreatedAt: now, UpdatedAt: now}
		err = s.store.Insert(ctx, r)
		if errors.Is(err, ErrExists) {
			return r, false, nil // a reserve came in between
		}
		return r, err == nil, err
	}
	if err != nil {
		return Reservation{}, false, err
	}
	switch r.State {
	case Released:
		return r, true, nil
	case Committing, Releasing:
		r, err = s.work(ctx, r, nil, atRest)
		return r, r.State == Released, err
	case Holding, Held, Sold:
		views, err := s.view(ctx, id, r.Lines)
		if err != nil {
			return r, false, err
		}
		r, won, err := s.store.Change(ctx, Change{ID: id, From: r.State, To: Releasing, Why: WhyReleased, At: now})
		if err != nil || !won {
			return r, false, err
		}
		r, err = s.work(ctx, r, views, atRest)
		return r, r.State == Released, err
	}
	return r, false, ErrNotFound // a restocking
}

// Reservation returns what became of the order's reservation, or ErrNotFound.
func (s *Service) Reservation(ctx context.Context, id string) (Reservation, error) {
	r, err := s.store.Reservation(ctx, id)
	if err != nil {
		return Reservation{}, fmt.Errorf("read the reservation of order %s: %w", id, err)
	}
	return r, nil
}

// Counters returns a product's units, or ErrProduct.
func (s *Service) Counters(ctx context.Context, productID string) (Counters, error) {
	c, err := s.store.Counters(ctx, productID)
	if err != nil {
		return Counters{}, fmt.Errorf("read the stock of product %s: %w", productID, err)
	}
	return c, nil
}
