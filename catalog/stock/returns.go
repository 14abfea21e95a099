package stock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Return is sold units of an order that came back. Its ID tells a repeated return from another one of the same order.
type Return struct {
	ID    string       `bson:"id"`
	Lines []ReturnLine `bson:"lines"` // one per product, in product order
}

// ReturnLine is a number of units of one product that came back.
type ReturnLine struct {
	ProductID string `bson:"productId"`
	Quantity  int64  `bson:"quantity"`
	WriteOff  int64  `bson:"writeOff"` // how many of them are not for sale again
}

// Expected errors of Return, besides ErrNotFound, ErrLines and ErrBusy.
var ErrReturnConflict = errors.New("the return exists with other lines")

// NotSoldError refuses a return because the order's units are not sold. Nothing is written.
type NotSoldError struct{ State State }

func (e *NotSoldError) Error() string { return fmt.Sprintf("the reservation is %s, not SOLD", e.State) }

// Excess is a product with more units in the return than the order still has.
type Excess struct {
	ProductID string
	Requested int64
	Left      int64 // units sold to the order and not returned yet; 0 if it never bought the product
}

// ExcessError refuses a return that brings too many units of some products. Nothing is written.
type ExcessError struct{ Excesses []Excess }

func (e *ExcessError) Error() string {
	var b strings.Builder
	b.WriteString("more is returned than was sold:")
	for _, x := range e.Excesses {
		fmt.Fprintf(&b, " %s (%d requested, %d left)", x.ProductID, x.Requested, x.Left)
	}
	return b.String()
}

// Return takes back some units that an order has bought, once per return ID. It returns when they are for sale again,
// except those that are written off. Lines with the same product are summed first. Calling it again succeeds, even after the
// reservation was released.
//
// Errors: ErrNotFound; *NotSoldError; *ExcessError; ErrReturnConflict if the order has a return with this ID and other lines;
// ErrLines.
func (s *Service) Return(ctx context.Context, id, returnID string, lines []ReturnLine) (_ Reservation, err error) {
	defer wrap(&err, "take back return %s of order %s", returnID, id)
	if lines, err = sumReturned(lines); err != nil {
		return Reservation{}, err
	}
	wanted := Return{ID: returnID, Lines: lines}
	return untilDecided(ctx, id, func(ctx context.Context, id string) (Reservation, bool, error) {
		return s.takeBack(ctx, id, wanted)
	})
}

// takeBack tries once. It reports false if another call has moved the reservation meanwhile, or if it had to finish another
// return first.
func (s *Service) takeBack(ctx context.Context, id string, wanted Return) (Reservation, bool, error) {
	r, err := s.store.Reservation(ctx, id)
	if err != nil {
		return Reservation{}, false, err
	}
	known, admitted := r.returnWith(wanted.ID)
	switch {
	case admitted && !slices.Equal(known.Lines, wanted.Lines):
		return r, false, ErrReturnConflict
	case r.State == Returning:
		r, err = s.work(ctx, r, nil, atRest)
		return r, admitted, err
	case admitted:
		return r, true, nil
	}
	return s.admit(ctx, r, wanted)
}

// admit adds a return to a sold reservation and brings its units back. Since the guard names the generation, what is left
// cannot have changed since the reservation was read.
func (s *Service) admit(ctx context.Context, r Reservation, wanted Return) (Reservation, bool, error) {
	if r.State != Sold {
		return r, false, &NotSoldError{r.State}
	}
	if excesses := r.excesses(wanted.Lines); excesses != nil {
		return r, false, &ExcessError{excesses}
	}
	views, err := s.view(ctx, r.ID, r.Lines)
	if err != nil {
		return r, false, err
	}
	r, won, err := s.store.Change(ctx, Change{
		ID: r.ID, From: Sold, Generation: r.Generation(), To: Returning, Return: &wanted, At: s.now(),
	})
	if err != nil || !won {
		return r, false, err
	}
	r, err = s.work(ctx, r, views, atRest)
	return r, err == nil, err
}

// sumReturned is Sum for the lines of a return.
func sumReturned(lines []ReturnLine) ([]ReturnLine, error) {
	units, writeOffs := make([]Line, len(lines)), map[string]int64{}
	for i, l := range lines {
		if l.WriteOff < 0 || l.WriteOff > l.Quantity {
			return nil, fmt.Errorf("%w: %d of %d units of product %q written off", ErrLines, l.WriteOff, l.Quantity, l.ProductID)
		}
		units[i] = Line{l.ProductID, l.Quantity}
		writeOffs[l.ProductID] += l.WriteOff
	}
	summed, err := Sum(units)
	if err != nil {
		return nil, err
	}
	out := make([]ReturnLine, len(summed))
	for i, l := range summed {
		out[i] = ReturnLine{l.ProductID, l.Quantity, writeOffs[l.ProductID]}
	}
	return out, nil
}

// Generation is the number of returns. SOLD and RETURNING come again with every return, but never in the same generation.
func (r Reservation) Generation() int { return len(r.Returns) }

func (r Reservation) returnWith(id string) (Return, bool) {
	i := slices.IndexFunc(r.Returns, func(b Return) bool { return b.ID == id })
	if i < 0 {
		return Return{}, false
	}
	return r.Returns[i], true
}

// nth returns the return that made this generation; an empty one if there is none.
func (r Reservation) nth(generation int) Return {
	if generation < 1 || generation > len(r.Returns) {
		return Return{}
	}
	return r.Returns[generation-1]
}

// line returns what the return brings of a product; nothing, if it does not touch the product.
func (b Return) line(productID string) ReturnLine {
	for _, l := range b.Lines {
		if l.ProductID == productID {
			return l
		}
	}
	return ReturnLine{ProductID: productID}
}

// returned sums what the first returns brought of a product, up to a generation.
func (r Reservation) returned(productID string, generation int) ReturnLine {
	sum := ReturnLine{ProductID: productID}
	for _, b := range r.Returns[:min(generation, len(r.Returns))] {
		l := b.line(productID)
		sum.Quantity += l.Quantity
		sum.WriteOff += l.WriteOff
	}
	return sum
}

// left is how many units of a line have not been returned.
func (r Reservation) left(l Line) int64 {
	return l.Quantity - r.returned(l.ProductID, r.Generation()).Quantity
}

func (r Reservation) excesses(lines []ReturnLine) []Excess {
	left := map[string]int64{}
	for _, l := range r.Lines {
		left[l.ProductID] = r.left(l)
	}
	var out []Excess
	for _, l := range lines {
		if l.Quantity > left[l.ProductID] {
			out = append(out, Excess{ProductID: l.ProductID, Requested: l.Quantity, Left: left[l.ProductID]})
		}
	}
	return out
}

// markOf is the mark of an order on a product after its returns up to a generation.
func (r Reservation) markOf(productID string, generation int) Mark {
	for g := generation; g > 0; g-- {
		if r.nth(g).line(productID).Quantity > 0 {
			return markTaken(g)
		}
	}
	return MarkTaken
}

// markTaken is the mark of an order that has taken units of a product, where the return of that generation was the last one
// to touch it.
func markTaken(generation int) Mark {
	if generation == 0 {
		return MarkTaken
	}
	return MarkTaken + Mark(strconv.Itoa(generation))
}

// Taken reports whether the mark says that its owner has taken units, and the generation of the last return of them.
func (m Mark) Taken() (generation int, ok bool) {
	digits, ok := strings.CutPrefix(string(m), string(MarkTaken))
	if !ok || digits == "" {
		return 0, ok
	}
	generation, err := strconv.Atoi(digits)
	return generation, err == nil
}
