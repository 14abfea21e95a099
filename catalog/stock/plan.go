package stock

// verdict says how to proceed with one line of a reservation.
type verdict int

const (
	done     verdict = iota // the product is as the reservation wants it
	apply                   // apply the update
	short                   // too few units are available
	fenced                  // another call for this order found this product short, and died
	crowded                 // too many marks: prune first
	outdated                // the update missed: the product has changed since it was read
)

// plan says how to bring one product to where the reservation wants it. It depends only on what was read. If that is no
// longer true, the guard of the update makes it miss.
func plan(r Reservation, line Line, v View) (Update, verdict) {
	u := Update{ProductID: line.ProductID, Owner: r.ID, Was: v.Mark, Epoch: v.Epoch}
	switch r.State {
	case Holding:
		return planTake(u, line, v)
	case Returning:
		return planReturn(u, r, v)
	case Releasing:
		return planGive(u, r, line, v)
	}
	return u, done
}

func planTake(u Update, line Line, v View) (Update, verdict) {
	switch {
	case v.Mark == MarkTaken:
		return u, done
	case v.Mark == MarkTombstone:
		return u, fenced
	case v.Deleted || v.Available < line.Quantity:
		return u, short
	case v.Marks >= MaxMarks:
		return u, crowded
	}
	u.Set, u.Available = MarkTaken, -line.Quantity
	return u, apply
}

// planReturn brings back the units of the last return, whose generation the mark will name. Any other mark is of an earlier
// return or none, and an absent one was pruned before this return.
func planReturn(u Update, r Reservation, v View) (Update, verdict) {
	u.Set = markTaken(r.Generation())
	if v.Mark == u.Set {
		return u, done
	}
	back := r.nth(r.Generation()).line(u.ProductID)
	u.Available, u.Restocked = back.Quantity-back.WriteOff, -back.WriteOff
	return u, apply
}

// planGive gives back what was taken in the state that the reservation left, less what was returned. From HOLDING, an absent
// mark means that nothing was taken, but a late take may still arrive: the tombstone refuses it. From the others, an absent
// mark was pruned.
func planGive(u Update, r Reservation, line Line, v View) (Update, verdict) {
	if v.Mark == MarkTombstone {
		return u, done
	}
	u.Set = MarkTombstone
	if v.Mark == MarkTaken || r.From != Holding {
		u.Available = r.left(line)
	}
	return u, apply
}
