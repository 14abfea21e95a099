package stock

import (
	"cmp"
	"context"
	"fmt"
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

// Movements returns what the reservation has moved so far, according to its steps, oldest first. A movement is entered
// after all its units have moved, so work in progress is not in it.
func (r Reservation) Movements() []Movement {
	var out []Movement
	for _, step := range r.Steps {
		for _, line := range r.Lines {
			if m, ok := r.movement(step, line); ok {
				out = append(out, m)
			}
		}
	}
	return out
}

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
	m.ID = movementID(m)
	return m, true
}

// movement is the adjustment's entry, once it is APPLIED.
func (a Adjustment) movement() Movement {
	m := Movement{
		ProductID: a.ProductID, Source: a.ID, Kind: a.Kind, At: a.UpdatedAt, Reason: a.Reason,
		Available: a.Delta.Available, Restocked: a.Delta.Restocked,
	}
	m.ID = movementID(m)
	return m
}

func movementID(m Movement) string { return m.Source + "/" + m.ProductID + "/" + string(m.Kind) }

// Movements returns the ledger of one product, oldest first. It keeps all of it in memory, about 200 bytes an entry. Errors:
// ErrProduct.
func (s *Service) Movements(ctx context.Context, productID string) ([]Movement, error) {
	var out []Movement
	ids := []string{productID}
	_, err := s.snapshot(ctx, productID)
	if err == nil {
		err = s.store.Reservations(ctx, ids, time.Time{}, func(r Reservation) error {
			for _, m := range r.Movements() {
				if m.ProductID == productID {
					out = append(out, m)
				}
			}
			return nil
		})
	}
	if err == nil {
		err = s.store.Adjustments(ctx, ids, time.Time{}, func(a Adjustment) error {
			if a.State == Applied {
				out = append(out, a.movement())
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read the movements of product %s: %w", productID, err)
	}
	slices.SortFunc(out, func(a, b Movement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}
