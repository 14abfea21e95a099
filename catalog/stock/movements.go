package stock

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Movement is one entry of the ledger: units of one product that moved from one place to another. The numbers are by how
// much each place changed.
type Movement struct {
	// ID is always the same for the same movement: source/product/kind, and for a return its ID.
	ID        string
	ProductID string
	Source    string // the ID of the order or adjustment
	Kind      Kind
	Available int64
	Held      int64
	Sold      int64
	Restocked int64
	At        time.Time
	Reason    string // of a correction or repair; of a release, why the reservation ended
}

// Kind says what a movement was for.
type Kind string

// The kinds of movements.
const (
	MovedHold       Kind = "HOLD"
	MovedSale       Kind = "SALE"
	MovedRelease    Kind = "RELEASE"
	MovedReturn     Kind = "RETURN" // of sold units by the customer
	MovedRestock    Kind = "RESTOCK"
	MovedCorrection Kind = "CORRECTION"
	MovedRepair     Kind = "REPAIR"
)

// movements are the entries of a reservation with one of its products.
func (r Reservation) movements(productID string) []Movement {
	var out []Movement
	for _, line := range r.Lines {
		generation := 0
		for _, step := range r.Steps {
			if step.To == Returning {
				generation++
			}
			if m, moved := r.movement(step, generation, line); moved && line.ProductID == productID {
				out = append(out, m)
			}
		}
	}
	return out
}

// movement is the entry of one step of a reservation, in its generation then, with one of its lines. A movement is entered
// after all its units have moved, so work in progress has none.
func (r Reservation) movement(step Step, generation int, line Line) (Movement, bool) {
	m := Movement{ProductID: line.ProductID, Source: r.ID, At: step.At}
	q, back := line.Quantity, r.nth(generation).line(line.ProductID)
	switch {
	case step.To == Held:
		m.Kind, m.Available, m.Held = MovedHold, -q, +q
	case step.To == Sold && generation == 0:
		m.Kind, m.Held, m.Sold = MovedSale, -q, +q
	case step.To == Sold:
		m.Kind, m.Available, m.Sold, m.Restocked = MovedReturn, back.Quantity-back.WriteOff, -back.Quantity, -back.WriteOff
	case step.To == Released && r.From == Held:
		m.Kind, m.Available, m.Held, m.Reason = MovedRelease, +q, -q, string(r.Why)
	case step.To == Released && r.From == Sold:
		m.Kind, m.Available, m.Sold, m.Reason = MovedRelease, r.left(line), -r.left(line), string(r.Why)
	}
	m.ID = movementID(r.ID, line.ProductID, m.Kind)
	if m.Kind == MovedReturn {
		m.ID += "/" + r.nth(generation).ID
	}
	return m, m.Held != 0 || m.Sold != 0
}

// movement is the entry of an adjustment that was applied.
func (a Adjustment) movement() Movement {
	return Movement{
		ID: movementID(a.ID, a.ProductID, a.Kind), ProductID: a.ProductID, Source: a.ID, Kind: a.Kind, At: a.UpdatedAt,
		Reason: a.Reason, Available: a.Delta.Available, Restocked: a.Delta.Restocked,
	}
}

// movementID is always the same for the same movement.
func movementID(source, productID string, kind Kind) string {
	return source + "/" + productID + "/" + string(kind)
}

// Movements returns the ledger of one product, oldest first. It keeps all of it in memory, about 200 bytes an entry. Errors:
// ErrProduct.
func (s *Service) Movements(ctx context.Context, productID string) (out []Movement, err error) {
	defer wrap(&err, "read the movements of product %s", productID)
	if _, err := s.snapshot(ctx, productID); err != nil {
		return nil, err
	}
	ids := []string{productID}
	err = s.store.Reservations(ctx, ids, time.Time{}, func(r Reservation) error {
		out = append(out, r.movements(productID)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.store.Adjustments(ctx, ids, time.Time{}, func(a Adjustment) error {
		if a.State == Applied {
			out = append(out, a.movement())
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Movement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out, err
}
