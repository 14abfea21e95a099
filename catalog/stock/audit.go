package stock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Drift is a product whose counters are not what the ledger says. The protocol does not make any: somebody wrote to
// the store by hand, a backup was restored in part, or the store lost a write that it had answered.
type Drift struct {
	ProductID string
	Is        Counters // what the product says
	Owed      Counters // what the ledger says; a negative Available means that more was sold than there ever was
	repairs   int      // made so far
	repairing string   // a repair that was begun and is not at rest
}

// Delta is what has to be added to the counters.
func (d Drift) Delta() Delta {
	return Delta{
		Available: d.Owed.Available - d.Is.Available,
		Held:      d.Owed.Held - d.Is.Held,
		Sold:      d.Owed.Sold - d.Is.Sold,
		Restocked: d.Owed.Restocked - d.Is.Restocked,
		Marks:     d.Owed.Marks - d.Is.Marks,
	}
}

// Findings are what an audit found.
type Findings struct {
	Products  int // looked at
	Drifts    []Drift
	Undecided []string // products on which marks were pruned faster than their reservations could be read
}

// auditBatch is how many products are read at once.
const auditBatch = 200

// Audit compares every product with the ledger, while everybody goes on working. It writes nothing. Several may run.
func (s *Service) Audit(ctx context.Context, ledger Ledger) (Findings, error) {
	var all Findings
	for after := ""; ; {
		ids, err := ledger.ProductIDs(ctx, after, auditBatch)
		if err != nil {
			return all, fmt.Errorf("list products after %q: %w", after, err)
		}
		if len(ids) == 0 {
			return all, nil
		}
		found, err := s.AuditProducts(ctx, ledger, ids)
		if err != nil {
			return all, err
		}
		all.Products += found.Products
		all.Drifts = append(all.Drifts, found.Drifts...)
		all.Undecided = append(all.Undecided, found.Undecided...)
		after = ids[len(ids)-1]
	}
}

// AuditProducts is Audit for some products. IDs of products that never existed are ignored. What looks wrong is looked
// at a second time before it is reported, in case that the store has answered with the past for a moment.
func (s *Service) AuditProducts(ctx context.Context, ledger Ledger, ids []string) (Findings, error) {
	found, err := s.auditOnce(ctx, ledger, ids)
	if err != nil || len(found.Drifts) == 0 {
		return found, err
	}
	var suspects []string
	first := map[string]Delta{}
	for _, d := range found.Drifts {
		suspects = append(suspects, d.ProductID)
		first[d.ProductID] = d.Delta()
	}
	again, err := s.auditOnce(ctx, ledger, suspects)
	if err != nil {
		return found, err
	}
	found.Undecided = append(found.Undecided, again.Undecided...)
	found.Drifts = slices.DeleteFunc(again.Drifts, func(d Drift) bool { return d.Delta() != first[d.ProductID] })
	return found, nil
}

// auditRounds bounds how often products are read again because marks were pruned meanwhile. From the second round on
// only what changed lately is read, so a round is short.
const auditRounds = 20

// clockSkew is how much the clocks of instances may differ; it decides how far back "lately" goes.
const clockSkew = time.Minute

func (s *Service) auditOnce(ctx context.Context, ledger Ledger, ids []string) (Findings, error) {
	found := Findings{}
	known := map[string]map[string]Reservation{} // by product and ID, as last read
	for _, id := range ids {
		known[id] = map[string]Reservation{}
	}
	since := time.Time{}
	for round := 0; round < auditRounds && len(ids) > 0; round++ {
		began := s.now()
		before, err := ledger.Snapshots(ctx, ids)
		if err != nil {
			return found, fmt.Errorf("read %d products: %w", len(ids), err)
		}
		err = ledger.Wanting(ctx, ids, since, func(r Reservation) error {
			for _, l := range r.Lines {
				if of, ok := known[l.ProductID]; ok {
					of[r.ID] = r
				}
			}
			return nil
		})
		if err != nil {
			return found, fmt.Errorf("read the reservations of %d products: %w", len(ids), err)
		}
		after, err := ledger.Snapshots(ctx, ids)
		if err != nil {
			return found, fmt.Errorf("read %d products again: %w", len(ids), err)
		}
		var open []string
		for _, id := range ids {
			p, ok := after[id]
			switch {
			case !ok:
			case p.Epoch != before[id].Epoch:
				open = append(open, id)
			default:
				d, err := s.compare(ctx, p, known[id])
				if err != nil {
					return found, err
				}
				found.Products++
				if d.Delta() != (Delta{}) {
					found.Drifts = append(found.Drifts, d)
				}
				delete(known, id)
			}
		}
		ids, since = open, began.Add(-clockSkew)
	}
	found.Products += len(ids)
	found.Undecided = ids
	return found, nil
}

// compare holds a product against its reservations. Those that came after they were read have left a mark on it.
func (s *Service) compare(ctx context.Context, p Snapshot, known map[string]Reservation) (Drift, error) {
	reservations := slices.Collect(maps.Values(known))
	for id := range p.Standing {
		if _, ok := known[id]; ok {
			continue
		}
		r, err := s.store.Reservation(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue // a mark of nobody: its units are not owed
		}
		if err != nil {
			return Drift{}, fmt.Errorf("read reservation %s: %w", id, err)
		}
		r.State, r.From = "", "" // it may be further by now: only the mark counts
		reservations = append(reservations, r)
	}
	d := Drift{ProductID: p.ProductID, Is: p.Counters, Owed: p.Counters}
	o := &d.Owed
	o.Held, o.Sold, o.Restocked = Owed(p.ProductID, p.Standing, reservations)
	o.Available = o.Initial + o.Restocked - o.Held - o.Sold
	o.Marks = len(p.Standing)
	for id, r := range known {
		if r.Repair == nil {
			continue
		}
		d.repairs++
		if !r.State.AtRest() {
			d.repairing = id
		}
	}
	return d, nil
}

// Repair makes a product's counters what the ledger says, by a movement of its own that carries the reason; nothing that
// was written is changed. It returns the drift that it repaired, with a Delta of zero when there was none. Several
// repairs at once do it once.
//
// Errors: *ShortError when units were sold that never were: a restocking or correction has to come first; ErrReason;
// ErrBusy when the product is too busy to be audited.
func (s *Service) Repair(ctx context.Context, ledger Ledger, productID, reason string) (Drift, error) {
	d, err := s.repair(ctx, ledger, productID, reason)
	if err != nil {
		return Drift{}, fmt.Errorf("repair the stock of product %s: %w", productID, err)
	}
	return d, nil
}

func (s *Service) repair(ctx context.Context, ledger Ledger, productID, reason string) (Drift, error) {
	if reason == "" {
		return Drift{}, ErrReason
	}
	for range maxRounds {
		found, err := s.AuditProducts(ctx, ledger, []string{productID})
		switch {
		case err != nil:
			return Drift{}, err
		case len(found.Undecided) > 0:
			return Drift{}, ErrBusy
		case len(found.Drifts) == 0:
			return Drift{ProductID: productID}, nil
		}
		d := found.Drifts[0]
		if d.repairing != "" { // another's, who may have died
			if err := s.finish(ctx, d.repairing); err != nil {
				return Drift{}, err
			}
			continue
		}
		// The number makes two repairs at once the same one, and the next one another.
		id, delta := repairPrefix+digest(productID, fmt.Sprint(d.repairs)), d.Delta()
		err = s.adjust(ctx, adjustment{id: id, productID: productID, reason: reason, repair: &delta})
		if !errors.Is(err, ErrConflict) {
			return d, err
		}
	}
	return Drift{}, ErrBusy
}

func (s *Service) finish(ctx context.Context, id string) error {
	r, err := s.store.Reservation(ctx, id)
	if err == nil {
		_, err = s.work(ctx, r, nil, atRest)
	}
	return err
}
