package stock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Movement is one entry of the ledger: units of one product that went from one place to another.
type Movement struct {
	// ID is the same whoever reads the ledger, and whenever: reservation/product/kind.
	ID          string
	ProductID   string
	Reservation string
	Kind        Kind
	Delta
	At     time.Time
	Reason string // of a correction or repair; of a return, what ended the reservation
}

// Delta is by how much counters change.
type Delta struct {
	Available int64
	Held      int64
	Sold      int64
	Restocked int64
	Marks     int // repairs only: of the number of marks that a store keeps beside them
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

// Movements are what the reservation has moved so far, as its steps tell, oldest first. Work in progress is left out:
// a movement is entered when all its units have moved.
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
	m := Movement{ProductID: line.ProductID, Reservation: r.ID, At: step.At, Reason: r.Reason}
	q := line.Quantity
	switch {
	case step.To == Held:
		m.Kind, m.Delta = MovedHold, Delta{Available: -q, Held: +q}
	case step.To == Sold:
		m.Kind, m.Delta = MovedSale, Delta{Held: -q, Sold: +q}
	case step.To == Released && r.From == Held:
		m.Kind, m.Delta, m.Reason = MovedReturn, Delta{Available: +q, Held: -q}, string(r.Why)
	case step.To == Released && r.From == Sold:
		m.Kind, m.Delta, m.Reason = MovedReturn, Delta{Available: +q, Sold: -q}, string(r.Why)
	case step.To == Added:
		m.Kind, m.Delta = r.addedAs(), r.adjustment(line)
	default:
		return Movement{}, false
	}
	m.ID = r.ID + "/" + m.ProductID + "/" + string(m.Kind)
	return m, true
}

func (r Reservation) addedAs() Kind {
	switch {
	case r.Repair != nil:
		return MovedRepair
	case strings.HasPrefix(r.ID, restockPrefix):
		return MovedRestock
	}
	return MovedCorrection
}

// Movements returns the ledger of one product, oldest first. It keeps all of it in memory, some 200 bytes each.
func Movements(ctx context.Context, ledger Ledger, productID string) ([]Movement, error) {
	var out []Movement
	err := ledger.Wanting(ctx, []string{productID}, time.Time{}, func(r Reservation) error {
		for _, m := range r.Movements() {
			if m.ProductID == productID {
				out = append(out, m)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the movements of product %s: %w", productID, err)
	}
	slices.SortFunc(out, func(a, b Movement) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}
