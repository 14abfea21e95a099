package stock

// Owed says what a product's counters must be, going by the marks on it and, for reservations that have none (any more),
// by their states. Marks must be read together with the counters; reservations that want the product afterwards.
// Reservations that were at work meanwhile can make the answer wrong, those at rest cannot.
func Owed(productID string, marks map[string]Mark, reservations []Reservation) (held, sold, restocked int64) {
	for _, r := range reservations {
		mark, ok := marks[r.ID]
		if !ok {
			mark = r.pruned()
		}
		for _, l := range r.Lines {
			if l.ProductID != productID {
				continue
			}
			switch mark {
			case MarkHeld:
				held += l.Quantity
			case MarkSold:
				sold += l.Quantity
			case MarkAdded:
				restocked += l.Quantity
			}
		}
	}
	return held, sold, restocked
}

// pruned is the mark that a product without one must have had: that of the reservation's last rest state.
func (r Reservation) pruned() Mark {
	switch r.State {
	case Committing:
		return MarkHeld
	case Releasing:
		return r.From.mark()
	case Released:
		return NoMark
	}
	return r.State.mark()
}
