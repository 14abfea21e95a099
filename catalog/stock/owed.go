package stock

// Owed says what a product's counters must be, going by the marks on it and, for reservations that have none (any more),
// by their states. Marks must be read together with the counters. It is right when every reservation either was read
// before the marks, or has a mark, and no mark was pruned in between (the audit explains).
func Owed(productID string, marks map[string]Mark, reservations []Reservation) (held, sold, restocked int64) {
	for _, r := range reservations {
		mark := r.standing(marks)
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

// standing is the mark that says where the reservation's units are. A mark is never behind a reservation that was at
// rest before: where it is, somebody has tampered with it, and the reservation is right.
func (r Reservation) standing(marks map[string]Mark) Mark {
	mark, ok := marks[r.ID]
	if !ok {
		return r.pruned()
	}
	if rest := r.State.mark(); rank(mark) < rank(rest) {
		mark = rest
	}
	if mark == MarkBar {
		return NoMark
	}
	return mark
}

// rank orders marks as they follow each other.
func rank(m Mark) int {
	switch m {
	case MarkHeld, MarkAdded:
		return 1
	case MarkSold:
		return 2
	case MarkBar:
		return 3
	}
	return 0
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
