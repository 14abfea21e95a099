package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// giveBack is what the calls of one return asked for and what they have returned so far.
type giveBack struct {
	stock.Return
	asked, done, refused bool
}

// newReturn returns one or two units of some of the lines.
func (g *game) newReturn(id string, lines []stock.Line) *giveBack {
	b := &giveBack{Return: stock.Return{ID: id}}
	for _, l := range lines {
		if q := g.choose("returned", 3); q > 0 {
			b.Lines = append(b.Lines, stock.ReturnLine{
				ProductID: l.ProductID, Quantity: int64(q), WriteOff: int64(g.choose("write-off", q+1)),
			})
		}
	}
	if b.Lines == nil {
		b.Lines = []stock.ReturnLine{{ProductID: lines[0].ProductID, Quantity: 1}}
	}
	return b
}

func (g *game) returned(o *order, b *giveBack, err error) {
	g.note("return %s of %s: %v", b.ID, o.id, err)
	var excess *stock.ExcessError
	var notSold *stock.NotSoldError
	switch {
	case err == nil:
		b.done = true
	case errors.As(err, &excess):
		b.refused = true
	case errors.As(err, &notSold) && o.sawSold && !o.releaseStarted:
		g.broken = fmt.Errorf("%s was sold, and refused return %s: %w", o.id, b.ID, err)
	case errors.Is(err, stock.ErrReturnConflict):
		g.broken = fmt.Errorf("%s: no other lines were ever returned as %s: %w", o.id, b.ID, err)
	}
}

// checkReturns returns the promise that the reservation's returns break, if they do.
func (o *order) checkReturns(r stock.Reservation) string {
	for _, b := range o.returns {
		at := slices.IndexFunc(r.Returns, func(known stock.Return) bool { return known.ID == b.ID })
		switch last := at == len(r.Returns)-1; {
		case b.done && at < 0, b.done && last && r.State == stock.Returning:
			return "return " + b.ID + " succeeded"
		case at < 0:
		case !b.asked || !slices.Equal(b.Lines, r.Returns[at].Lines):
			return "return " + b.ID + " was never asked for like this"
		case b.refused:
			return "return " + b.ID + " was refused"
		case slices.ContainsFunc(r.Returns[at+1:], func(again stock.Return) bool { return again.ID == b.ID }):
			return "return " + b.ID + " happens once"
		}
	}
	for _, l := range r.Lines {
		if units, _ := broughtBack(r, l.ProductID); units > l.Quantity {
			return "only what was sold can come back"
		}
	}
	return ""
}

// conserved checks where the units are, without a look at marks, when all is at rest.
func (g *game) conserved(reservations []stock.Reservation, adjustments []stock.Adjustment) error {
	for _, id := range g.products {
		var taken, restocked int64
		for _, a := range adjustments {
			if a.ProductID == id && a.State == stock.Applied {
				restocked += a.Delta.Restocked
			}
		}
		for _, r := range reservations {
			back, writtenOff := broughtBack(r, id)
			restocked -= writtenOff
			for _, l := range r.Lines {
				if l.ProductID == id && r.State != stock.Released {
					taken += l.Quantity - back
				}
			}
		}
		p, err := read(g.ctx, g.store, id)
		if err != nil {
			return err
		}
		if p.Restocked != restocked || p.Available != g.initial[id]+restocked-taken {
			return fmt.Errorf("product %s: at rest, orders have taken %d, %d were restocked, but it has %+v", id, taken, restocked, p)
		}
	}
	return nil
}

// broughtBack sums what the returns of a reservation bring of a product.
func broughtBack(r stock.Reservation, productID string) (units, writtenOff int64) {
	for _, b := range r.Returns {
		for _, l := range b.Lines {
			if l.ProductID == productID {
				units += l.Quantity
				writtenOff += l.WriteOff
			}
		}
	}
	return units, writtenOff
}
