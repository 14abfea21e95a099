package stock

import "iter"

// Expected returns the units of a product that orders have taken and that restocks and corrections have added, as its
// marks say and, for owners without a mark, their states. The snapshot is of one moment. The result is right if every
// owner was read before the snapshot or has a mark in it, and no mark was pruned in between; package doc explains why.
func Expected(p Snapshot, reservations iter.Seq[Reservation], adjustments iter.Seq[Adjustment]) (taken, restocked int64) {
	for r := range reservations {
		taken += r.taken(p)
	}
	for a := range adjustments {
		restocked += a.restocked(p)
	}
	return taken, restocked
}

// taken is how many units of the product the reservation has taken.
func (r Reservation) taken(p Snapshot) int64 {
	mark := p.Marks[r.ID]
	switch {
	case r.State == Released:
		return 0 // a mark that says otherwise was tampered with
	case mark == MarkTaken:
	case mark == MarkTombstone:
		return 0
	case r.State == Held || r.State == Sold || r.State == Releasing && r.From != Holding: // the mark was pruned
	default:
		return 0
	}
	for _, l := range r.Lines { // one line per product
		if l.ProductID == p.ProductID {
			return l.Quantity
		}
	}
	return 0
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
