package stock

// verdict is what is to be done about one line of a reservation.
type verdict int

const (
	done    verdict = iota // the product is as the reservation wants it
	apply                  // apply the update
	short                  // too little is available
	barred                 // another call for this order found this product short, and died
	crowded                // too many marks: prune first
	stale                  // product and reservation do not fit together: one of them was read too early
)

// plan says how to bring one product to where the reservation wants it. It is a pure function of what was read; the
// guards in the update make it harmless when that is no longer true.
func plan(r Reservation, line Line, v View) (Update, verdict) {
	u := Update{ProductID: line.ProductID, Reservation: r.ID, Want: v.Mark, Epoch: v.Epoch}
	switch r.State {
	case Holding:
		return planTake(u, line, v)
	case Committing:
		u.Set, u.Held, u.Sold = MarkSold, -line.Quantity, +line.Quantity
		return u, planMove(v.Mark, MarkHeld, MarkSold)
	case Releasing:
		return planGive(u, r.From, line, v)
	case Adding:
		return planAdd(u, r.adjustment(line), v)
	}
	return u, done
}

func planTake(u Update, line Line, v View) (Update, verdict) {
	switch {
	case v.Mark == MarkHeld:
		return u, done
	case v.Mark == MarkBar:
		return u, barred
	case v.Mark != NoMark:
		return u, stale
	case v.Deleted || v.Available < line.Quantity:
		return u, short
	case v.Marks >= MaxMarks:
		return u, crowded
	}
	u.Set, u.Available, u.Held = MarkHeld, -line.Quantity, +line.Quantity
	return u, apply
}

// planAdd may also take away: then there must be as much.
func planAdd(u Update, d Delta, v View) (Update, verdict) {
	u.Set = MarkAdded
	u.Available, u.Held, u.Sold, u.Restocked, u.Recount = d.Available, d.Held, d.Sold, d.Restocked, d.Marks
	switch {
	case v.Mark == MarkAdded:
		return u, done
	case v.Mark == MarkBar:
		return u, barred
	case u.Takes() && (v.Deleted || v.Available < -u.Available):
		return u, short
	case u.Takes() && v.Marks >= MaxMarks:
		return u, crowded
	}
	return u, apply
}

// planGive gives back what the state that the reservation left had taken. From HOLDING, an absent mark means that
// nothing was taken, but it may yet be: the bar refuses that.
func planGive(u Update, from State, line Line, v View) (Update, verdict) {
	u.Set = MarkBar
	switch from {
	case Holding:
		if v.Mark == MarkHeld {
			u.Available, u.Held = +line.Quantity, -line.Quantity
		}
		return u, planMove(v.Mark, MarkHeld, MarkBar)
	case Held:
		u.Available, u.Held = +line.Quantity, -line.Quantity
		return u, planMove(v.Mark, MarkHeld, MarkBar)
	case Adding: // it was refused for want of units: nothing was changed
		return u, planMove(v.Mark, NoMark, MarkBar)
	default:
		u.Available, u.Sold = +line.Quantity, -line.Quantity
		return u, planMove(v.Mark, MarkSold, MarkBar)
	}
}

// planMove expects the mark that the previous state left, or its absence, since it may have been pruned.
func planMove(mark, before, after Mark) verdict {
	switch mark {
	case after:
		return done
	case before, NoMark:
		return apply
	}
	return stale
}
