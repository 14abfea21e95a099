package stock

import (
	"context"
	"iter"
	"maps"
)

// Units says where the units of a product are: Available + Held + Sold = Initial + Restocked.
type Units struct {
	ProductID string
	Available int64 // can be bought
	Held      int64 // held for orders that are not sold yet
	Sold      int64
	Initial   int64 // when the product was created
	Restocked int64 // added since, less what corrections took away and returns wrote off
}

// unitsRounds bounds how often the holds of a product are read again because the product changed meanwhile. After the
// last round, units that were taken or given back in between may count as held instead of sold, or as sold instead of held.
const unitsRounds = 3

// Units returns where the units of a product are, even if it is deleted. Errors: ErrProduct.
func (s *Service) Units(ctx context.Context, productID string) (_ Units, err error) {
	defer wrap(&err, "read the stock of product %s", productID)
	p, err := s.snapshot(ctx, productID)
	if err != nil {
		return Units{}, err
	}
	var holds []Reservation
	for range unitsRounds {
		before := p
		holds, err = s.store.Due(ctx, Due{States: []State{Holding, Held, Releasing}, ProductID: productID})
		if err != nil {
			return Units{}, err
		}
		if p, err = s.snapshot(ctx, productID); err != nil {
			return Units{}, err
		}
		if p.Counters == before.Counters && p.Epoch == before.Epoch && maps.Equal(p.Marks, before.Marks) {
			break
		}
	}
	return p.units(holds), nil
}

func (s *Service) snapshot(ctx context.Context, productID string) (Snapshot, error) {
	found, err := s.store.Snapshots(ctx, []string{productID})
	if err != nil {
		return Snapshot{}, err
	}
	p, ok := found[productID]
	if !ok {
		return Snapshot{}, ErrProduct
	}
	return p, nil
}

// units derives what is held from the product's holds; the rest of what is taken is sold.
func (p Snapshot) units(holds []Reservation) Units {
	var held int64
	for _, r := range holds {
		if r.State != Releasing || r.From != Sold {
			held += r.taken(p)
		}
	}
	taken := p.Initial + p.Restocked - p.Available
	held = min(held, taken)
	return Units{
		ProductID: p.ProductID, Available: p.Available, Held: held, Sold: taken - held, Initial: p.Initial, Restocked: p.Restocked,
	}
}

// Expected returns the units of a product that orders have taken, and that restocks and corrections have added less what
// returns wrote off, as its marks say and, for owners without a mark, their states. The snapshot is of one moment. The result
// is right if every owner was read before the snapshot or has a mark in it, and no mark was pruned in between; package doc
// explains why.
func Expected(p Snapshot, reservations iter.Seq[Reservation], adjustments iter.Seq[Adjustment]) (taken, restocked int64) {
	for r := range reservations {
		taken += r.taken(p)
		restocked -= r.returned(p.ProductID, r.reached(p)).WriteOff
	}
	for a := range adjustments {
		restocked += a.restocked(p)
	}
	return taken, restocked
}

// taken is how many units of the product the reservation has taken and not brought back.
func (r Reservation) taken(p Snapshot) int64 {
	mark := p.Marks[r.ID]
	_, taken := mark.Taken()
	switch {
	case r.State == Released:
		return 0 // a mark that says otherwise was tampered with
	case taken:
	case mark == MarkTombstone:
		return 0
	case r.State.AtRest() || r.State == Returning || r.State == Releasing && r.From != Holding: // the mark was pruned
	default:
		return 0
	}
	for _, l := range r.Lines { // one line per product
		if l.ProductID == p.ProductID {
			return l.Quantity - r.returned(p.ProductID, r.reached(p)).Quantity
		}
	}
	return 0
}

// reached is the generation that the product has reached: up to it, what the returns brought has been counted. A mark says
// so. One that was pruned was of a reservation at rest, so of all returns but the one that is at work.
func (r Reservation) reached(p Snapshot) int {
	mark := p.Marks[r.ID]
	generation, taken := mark.Taken()
	switch {
	case r.State == Released:
	case taken:
		return generation
	case mark == NoMark && r.State == Returning:
		return r.Generation() - 1
	}
	return r.Generation()
}

// restocked is how many units the adjustment has added to the product. Repairs add none: they only set the counters to
// what the others add up to.
func (a Adjustment) restocked(p Snapshot) int64 {
	applied := a.State == Applied || p.Marks[a.ID] == MarkApplied
	if !applied || a.Kind == MovedRepair || a.ProductID != p.ProductID {
		return 0
	}
	return a.Delta.Restocked
}
