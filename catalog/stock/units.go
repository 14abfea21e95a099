package stock

import (
	"context"
	"fmt"
	"maps"
)

// Units says where the units of a product are: Available + Held + Sold = Initial + Restocked.
type Units struct {
	ProductID string
	Available int64 // can be bought
	Held      int64 // held for orders that are not sold yet
	Sold      int64
	Initial   int64 // when the product was created
	Restocked int64 // added since, less what corrections took away
}

// Units returns where the units of a product are, even if it is deleted. Errors: ErrProduct.
func (s *Service) Units(ctx context.Context, productID string) (Units, error) {
	u, err := s.units(ctx, productID)
	if err != nil {
		return Units{}, fmt.Errorf("read the stock of product %s: %w", productID, err)
	}
	return u, nil
}

// unitsRounds bounds how often the holds of a product are read again because the product changed meanwhile. After the
// last round, units that were taken or given back in between may count as held instead of sold, or as sold instead of held.
const unitsRounds = 3

func (s *Service) units(ctx context.Context, productID string) (Units, error) {
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
