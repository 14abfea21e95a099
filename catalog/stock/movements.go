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
	// ID is always the same for the same movement: source/product/kind.
	ID        string
	ProductID string
	Source    string // the ID of the order or adjustment
	Kind      Kind
	Available int64
	Held      int64
	Sold      int64
	Restocked int64
	At        time.Time
	Reason    string // of a correction or repair; of a return, why the reservation ended
}

// Kind says what a movement was for.
type Kind string

// The kinds of movements.
const (
	MovedHold       Kind = "HOLD"
	MovedSale       Kind = "SALE"
	MovedReturn     Kind = "RETURN"
	MovedRestock    Kind = "RESTOCK"
	MovedCorrection Kind = "CORRECTION"
	MovedRepair     Kind = "REPAIR"
)

// movement is the entry of one step of a reservation with one of its lines. A movement is entered after all its units have
// moved, so work in progress has none.
func (r Reservation) movement(step Step, line Line) (Movement, bool) {
	m := Movement{ProductID: line.ProductID, Source: r.ID, At: step.At}
	q := line.Quantity
	switch {
	case step.To == Held:
		m.Kind, m.Available, m.Held = MovedHold, -q, +q
	case step.To == Sold:
		m.Kind, m.Held, m.Sold = MovedSale, -q, +q
	case step.To == Released && r.From == Held:
		m.Kind, m.Available, m.Held, m.Reason = MovedReturn, +q, -q, string(r.Why)
	case step.To == Released && r.From == Sold:
		m.Kind, m.Available, m.Sold, m.Reason = MovedReturn, +q, -q, string(r.Why)
	default:
		return Movement{}, false
	}
	return m, true
}

// Movements returns the ledger of one product, oldest first. It keeps all of it in memory, about 200 bytes an entry. Errors:
// ErrProduct.
func (s *Service) Movements(ctx context.Context, productID string) (out []Movement, err error) {
	defer wrap(&err, "read the movements of product %s", productID)
	if _, err := s.snapshot(ctx, productID); err != nil {
		return nil, err
	}
	add := func(m Movement) {
		m.ID = m.Source + "/" + m.ProductID + "/" + string(m.Kind)
		out = append(out, m)
	}
	ids := []string{productID}
	err = s.store.Reservations(ctx, ids, time.Time{}, func(r Reservation) error {
		for _, step := range r.Steps {
			for _, line := range r.Lines {
				if m, ok := r.movement(step, line); ok && line.ProductID == productID {
					add(m)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.store.Adjustments(ctx, ids, time.Time{}, func(a Adjustment) error {
		if a.State == Applied {
			add(Movement{
				ProductID: productID, Source: a.ID, Kind: a.Kind, At: a.UpdatedAt, Reason: a.Reason,
				Available: a.Delta.Available, Restocked: a.Delta.Restocked,
			})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Movement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out, err
}
