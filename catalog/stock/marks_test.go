package stock_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

func TestAMarkNamesTheLastReturnThatTouchedTheProduct(t *testing.T) {
	t.Parallel()
	of := func(products ...string) (out stock.Return) {
		for _, p := range products {
			out.Lines = append(out.Lines, stock.ReturnLine{ProductID: p, Quantity: 1})
		}
		return out
	}
	r := stock.Reservation{State: stock.Sold, Returns: []stock.Return{of("kettle"), of("kettle", "lamp"), of("kettle")}}
	for product, want := range map[string]stock.Mark{"kettle": "T3", "lamp": "T2", "chair": stock.MarkTaken} {
		if got := r.Mark(product); got != want {
			t.Errorf("%s: got mark %q, want %q", product, got, want)
		}
	}
	for mark, want := range map[stock.Mark]int{"T": 0, "T2": 2, "T10": 10, "X": -1, "A": -1, "": -1, "Tx": -1} {
		generation, taken := mark.Taken()
		if !taken {
			generation = -1
		}
		if generation != want {
			t.Errorf("mark %q: got generation %d, want %d", mark, generation, want)
		}
	}
}
