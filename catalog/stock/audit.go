package stock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Drift is a product whose counters differ from the ledger. The protocol causes none: someone wrote to the store by hand,
// a backup was restored in part, or the store lost an acknowledged write.
type Drift struct {
	ProductID string
	Stored    Counters // what the product says
	Expected  Counters // what the ledger says; Available is negative if more was sold than there ever was
	repairs   int      // made so far
	repairing string   // the ID of a repair that is not at rest
}

// Delta is what a repair must add to the stored counters.
func (d Drift) Delta() Delta {
	return Delta{
		Available: d.Expected.Available - d.Stored.Available,
		Restocked: d.Expected.Restocked - d.Stored.Restocked,
		Marks:     d.Expected.MarkCount - d.Stored.MarkCount,
	}
}

// Findings is the result of an audit.
type Findings struct {
	Products  int // compared
	Drifts    []Drift
	Undecided []string // products whose marks were pruned faster than their reservations could be read
}

// auditBatch is how many products are read at once.
const auditBatch = 200

// Audit compares every product with the ledger, while orders go on. It writes nothing. Several audits may run at once.
func (s *Service) Audit(ctx context.Context) (Findings, error) {
	var all Findings
	for after := ""; ; {
		ids, err := s.store.ProductIDs(ctx, after, auditBatch)
		if err != nil {
			return all, fmt.Errorf("list products after %q: %w", after, err)
		}
		if len(ids) == 0 {
			return all, nil
		}
		found, err := s.AuditProducts(ctx, ids)
		if err != nil {
			return all, err
		}
		all.Products += found.Products
		all.Drifts = append(all.Drifts, found.Drifts...)
		all.Undecided = append(all.Undecided, found.Undecided...)
		after = ids[len(ids)-1]
	}
}

// AuditProducts is Audit for some products. It ignores IDs of products that never existed. It reports a drift only if a
// second audit finds the same one, in case the store returned stale data for a moment.
func (s *Service) AuditProducts(ctx context.Context, ids []string) (Findings, error) {
	found, err := s.auditOnce(ctx, ids)
	if err != nil || len(found.Drifts) == 0 {
		return found, err
	}
	var suspects []string
	first := map[string]Delta{}
	for _, d := range found.Drifts {
		suspects = append(suspects, d.ProductID)
		first[d.ProductID] = d.Delta()
	}
	again, err := s.auditOnce(ctx, suspects)
	if err != nil {
		return found, err
	}
	found.Undecided = append(found.Undecided, again.Undecided...)
	found.Drifts = slices.DeleteFunc(again.Drifts, func(d Drift) bool { return d.Delta() != first[d.ProductID] })
	return found, nil
}

// auditRounds bounds how often products are read again because marks were pruned meanwhile. From the second round on
// the audit reads only what changed lately, so a round is short.
const auditRounds = 20

// clockSkew is how far the clocks of instances may be apart; "lately" reaches back that much further.
const clockSkew = time.Minute

func (s *Service) auditOnce(ctx context.Context, ids []string) (Findings, error) {
	var found Findings
	undecided := map[string]account{}
	for _, id := range ids {
		undecided[id] = account{map[string]Reservation{}, map[string]Adjustment{}}
	}
	since := time.Time{}
	for round := 0; round < auditRounds && len(undecided) > 0; round++ {
		began := s.now()
		ids := slices.Sorted(maps.Keys(undecided))
		before, err := s.store.Snapshots(ctx, ids)
		if err != nil {
			return found, fmt.Errorf("read %d products: %w", len(ids), err)
		}
		if err := s.readAccounts(ctx, ids, undecided, since); err != nil {
			return found, fmt.Errorf("read the ledger of %d products: %w", len(ids), err)
		}
		after, err := s.store.Snapshots(ctx, ids)
		if err != nil {
			return found, fmt.Errorf("read %d products again: %w", len(ids), err)
		}
		for _, id := range ids {
			p, ok := after[id]
			if p.Epoch != before[id].Epoch {
				continue // marks were pruned meanwhile
			}
			if ok { // it exists
				d, err := s.compare(ctx, p, undecided[id])
				if err != nil {
					return found, err
				}
				found.Products++
				if d.Delta() != (Delta{}) {
					found.Drifts = append(found.Drifts, d)
				}
			}
			delete(undecided, id)
		}
		since = began.Add(-clockSkew)
	}
	found.Products += len(undecided)
	found.Undecided = slices.Sorted(maps.Keys(undecided))
	return found, nil
}

// account is the reservations and adjustments of a product, as last read, by their IDs.
type account struct {
	reservations map[string]Reservation
	adjustments  map[string]Adjustment
}

// readAccounts adds what was changed at or after since to the accounts of the products.
func (s *Service) readAccounts(ctx context.Context, ids []string, accounts map[string]account, since time.Time) error {
	err := s.store.Reservations(ctx, ids, since, func(r Reservation) error {
		for _, l := range r.Lines {
			if a, ok := accounts[l.ProductID]; ok {
				a.reservations[r.ID] = r
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.store.Adjustments(ctx, ids, since, func(a Adjustment) error {
		accounts[a.ProductID].adjustments[a.ID] = a
		return nil
	})
}

// compare compares a product with its account.
func (s *Service) compare(ctx context.Context, p Snapshot, known account) (Drift, error) {
	d := Drift{ProductID: p.ProductID, Stored: p.Counters, Expected: p.Counters}
	for _, a := range known.adjustments {
		if a.Kind != MovedRepair {
			continue
		}
		d.repairs++
		if a.State == Pending {
			d.repairing = a.ID
		}
	}
	// What came after the account was read has left a mark on the product. Of that the mark counts, not the state, which
	// may be further by now.
	for id, mark := range p.Marks {
		r, reserved := known.reservations[id]
		_, adjusted := known.adjustments[id]
		if reserved && !r.overtaken(mark) || adjusted {
			continue
		}
		var err error
		if mark == MarkApplied || mark == MarkRefused {
			var a Adjustment
			a, err = s.store.Adjustment(ctx, id)
			a.State = Pending
			known.adjustments[id] = a
		} else {
			r, err = s.store.Reservation(ctx, id)
			r.State, r.From = "", ""
			known.reservations[id] = r
		}
		if err != nil && !errors.Is(err, ErrNotFound) { // a mark without an owner accounts for no units
			return Drift{}, fmt.Errorf("read the owner %s of a mark: %w", id, err)
		}
	}
	taken, restocked := Expected(p, maps.Values(known.reservations), maps.Values(known.adjustments))
	d.Expected.Restocked = restocked
	d.Expected.Available = p.Initial + restocked - taken
	d.Expected.MarkCount = len(p.Marks)
	return d, nil
}

// overtaken reports whether a mark may be of returns that the reservation did not have yet when it was read. After a release
// it gets no more of them.
func (r Reservation) overtaken(mark Mark) bool {
	generation, taken := mark.Taken()
	released := r.State == Releasing || r.State == Released
	return taken && generation > r.Generation() || mark == MarkTombstone && !released
}

// Repair sets a product's counters to what the ledger says, by a movement of its own that carries the reason. It changes
// nothing that was written before. It returns the drift that it repaired; its Delta is zero if there was none.
// Concurrent repairs repair a drift once.
//
// Errors: *ShortError if more units were sold than there ever were: restock or correct first; ErrReason; ErrBusy if the
// product is too busy for an audit.
func (s *Service) Repair(ctx context.Context, productID, reason string) (_ Drift, err error) {
	defer wrap(&err, "repair the stock of product %s", productID)
	if reason == "" {
		return Drift{}, ErrReason
	}
	for range maxRounds {
		found, err := s.AuditProducts(ctx, []string{productID})
		switch {
		case err != nil:
			return Drift{}, err
		case len(found.Undecided) > 0:
			return Drift{}, ErrBusy
		case len(found.Drifts) == 0:
			return Drift{ProductID: productID}, nil
		}
		d := found.Drifts[0]
		if d.repairing != "" { // of another caller, which may have died
			if _, err := s.finishAdjustment(ctx, d.repairing); err != nil {
				return Drift{}, err
			}
			continue
		}
		// The number makes concurrent repairs the same one, and the next repair a new one.
		a := Adjustment{ProductID: productID, Kind: MovedRepair, Delta: d.Delta(), Reason: reason}
		err = s.adjust(ctx, a, fmt.Sprint(d.repairs))
		if !errors.Is(err, ErrConflict) {
			return d, err
		}
	}
	return Drift{}, ErrBusy
}
