package stock

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// goal says how far work goes.
type goal int

const (
	// atDecision: until the outcome is decided. The rest is done later.
	atDecision goal = iota
	// atRest: until the reservation and its products agree.
	atRest
)

// maxRounds bounds how often one call starts over because others got in first. Each round that misses means that another
// call, sweep or pruning made progress on the same products.
const maxRounds = 100

// work brings every product to where the reservation wants it, and the reservation to rest, whatever others do
// meanwhile. views are how the products looked before r was last read or changed; if nil, work reads them first.
//
// It returns the reservation at rest, or with the goal atDecision as soon as all its lines are taken.
func (s *Service) work(ctx context.Context, r Reservation, views map[string]View, until goal) (Reservation, error) {
	swept := map[string]bool{}
	for range maxRounds {
		if views == nil {
			var err error
			if views, err = s.view(ctx, r.ID, r.Lines); err != nil {
				return r, err
			}
			if r, err = s.store.Reservation(ctx, r.ID); err != nil {
				return r, err
			}
		}
		if r.State.AtRest() {
			return r, nil
		}
		line, verdict, err := s.advance(ctx, r, views)
		if err != nil {
			return r, err
		}
		switch verdict {
		case done:
			if r.State == Holding && until == atDecision {
				s.settleLater(r)
				r.State = Held
				return r, nil
			}
			if r, err = s.settle(ctx, r); err == nil && r.State.AtRest() {
				return r, nil
			}
			views = nil
		case short:
			r, views, err = s.fallShort(ctx, r, line, views, swept)
		case fenced:
			r, views, err = s.refuse(ctx, r, views)
		case crowded:
			err = s.Prune(ctx, line.ProductID)
			views = nil
		default:
			views = nil
		}
		if err != nil {
			return r, err
		}
	}
	return r, ErrBusy
}

// advance goes through the lines in order. It stops at the first one that it cannot bring to its target and says why; it
// returns done after the last one.
func (s *Service) advance(ctx context.Context, r Reservation, views map[string]View) (Line, verdict, error) {
	for _, line := range r.atWork() {
		v, ok := views[line.ProductID]
		if !ok {
			return line, outdated, fmt.Errorf("product %s is gone: %w", line.ProductID, ErrProduct)
		}
		u, verdict := plan(r, line, v)
		if verdict == done {
			continue
		}
		if verdict != apply {
			return line, verdict, nil
		}
		applied, err := s.apply(ctx, u)
		if err != nil || !applied {
			return line, outdated, err
		}
		v.Mark = u.Set
		views[line.ProductID] = v
	}
	return Line{}, done, nil
}

// atWork returns the lines whose products the reservation may have to change.
func (r Reservation) atWork() []Line {
	if r.State != Returning {
		return r.Lines
	}
	last := r.nth(r.Generation())
	return slices.DeleteFunc(slices.Clone(r.Lines), func(l Line) bool { return last.line(l.ProductID).Quantity == 0 })
}

// settle moves a reservation whose work is finished to rest. It returns the reservation as it was if another call has
// moved it first.
func (s *Service) settle(ctx context.Context, r Reservation) (Reservation, error) {
	settled, won, err := s.store.Change(ctx, Change{
		ID: r.ID, From: r.State, Generation: r.Generation(), To: r.State.rest(), At: s.now(),
	})
	if err != nil || !won {
		return r, err
	}
	return settled, nil
}

// fallShort first gives back the expired holds on the line's product, once per product. If there are none, it gives up on
// the reservation. The tombstone on the product comes first: it makes every other call for this order see that it was
// short, and it misses if another call has taken the units.
//
// Like refuse, it returns views only if they are still older than the reservation.
func (s *Service) fallShort(
	ctx context.Context, r Reservation, line Line, views map[string]View, swept map[string]bool,
) (Reservation, map[string]View, error) {
	if !swept[line.ProductID] {
		swept[line.ProductID] = true
		n, err := s.sweepProduct(ctx, line.ProductID)
		if err != nil || n > 0 {
			return r, nil, err
		}
	}
	v := views[line.ProductID]
	marked, err := s.apply(ctx, Update{
		ProductID: line.ProductID, Owner: r.ID, Was: NoMark, Epoch: v.Epoch, Set: MarkTombstone,
	})
	if err != nil || !marked {
		return r, nil, err
	}
	v.Mark = MarkTombstone
	views[line.ProductID] = v
	return s.refuse(ctx, r, views)
}

// refuse ends a reservation because one of its products has its tombstone: it was short.
func (s *Service) refuse(ctx context.Context, r Reservation, views map[string]View) (Reservation, map[string]View, error) {
	refused, won, err := s.store.Change(ctx, Change{
		ID: r.ID, From: r.State, To: Releasing, Why: WhyShort, Shortages: shortages(r, views), At: s.now(),
	})
	if err != nil || !won {
		return r, nil, err
	}
	return refused, views, nil
}

// shortages lists every product that was short when the views were read.
func shortages(r Reservation, views map[string]View) []Shortage {
	var out []Shortage
	for _, l := range r.Lines {
		v := views[l.ProductID]
		available := v.Available
		if v.Deleted {
			available = 0
		}
		if v.Mark == MarkTombstone || v.Mark == NoMark && available < l.Quantity {
			out = append(out, Shortage{ProductID: l.ProductID, Requested: l.Quantity, Available: available})
		}
	}
	return out
}

// apply updates a product, remembers its epoch, and prunes it later if it has many marks.
func (s *Service) apply(ctx context.Context, u Update) (bool, error) {
	after, ok, err := s.store.Apply(ctx, u)
	if err != nil {
		return false, err
	}
	if !ok {
		s.epochs.forget(u.ProductID)
		return false, nil
	}
	s.epochs.learn(u.ProductID, after.Epoch)
	s.pruneLater(u.ProductID, after.Marks)
	return true, nil
}

// view reads the products of the lines as the reservation sees them and remembers their epochs.
func (s *Service) view(ctx context.Context, reservationID string, lines []Line) (map[string]View, error) {
	views, err := s.store.View(ctx, reservationID, products(lines))
	if err != nil {
		return nil, err
	}
	for id, v := range views {
		if !v.Deleted {
			s.epochs.learn(id, v.Epoch)
		}
	}
	return views, nil
}

// allTaken are views that expect every line to be taken. If a mark was pruned, the update misses and the product is read.
func allTaken(lines []Line) map[string]View {
	views := map[string]View{}
	for _, l := range lines {
		views[l.ProductID] = View{Mark: MarkTaken}
	}
	return views
}

// taskTimeout bounds a background task. A sweep finishes what it leaves unfinished.
const taskTimeout = 10 * time.Second

// settleLater moves a reservation to rest in the background.
func (s *Service) settleLater(r Reservation) {
	s.doLater("settle", r.ID, func(ctx context.Context) error {
		_, err := s.settle(ctx, r)
		return err
	})
}

// doLater runs a task in the background.
func (s *Service) doLater(what, id string, task func(context.Context) error) {
	s.later(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, taskTimeout)
		defer cancel()
		if err := task(ctx); err != nil {
			s.log.Warn("left to the sweeper", "task", what, "id", id, "error", err.Error())
		}
	})
}
