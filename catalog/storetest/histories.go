package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock/stocktest"
)

// histories plays random histories one after the other: on slow stores as many as there is time for, but at least 5. The
// tests of package stock play thousands.
func histories(t *testing.T, s Store, part int) {
	deadline, n := time.Now().Add(historyTime), 0
	for ; n < historiesEach && (n < 5 || time.Now().Before(deadline)); n++ {
		err := stocktest.Play(t.Context(), bySeed{rand.New(rand.NewPCG(uint64(n), uint64(7+part)))}, s, stocktest.Options{
			Prefix: fmt.Sprintf("h%d-", n), Steps: 60, Lazy: true,
		})
		if err != nil {
			t.Fatalf("history %d: %v", n, err)
		}
	}
	t.Logf("%d histories", n)
}

type bySeed struct{ *rand.Rand }

func (c bySeed) Choose(_ string, n int) int { return c.IntN(n) }
