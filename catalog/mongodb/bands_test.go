package mongodb_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
)

// price draws one from a range, small ones as often as large ones.
func price(t *rapid.T, from, to int64, name string) int64 {
	to = min(to, max(from, 1<<rapid.IntRange(0, 40).Draw(t, name+"'s magnitude")))
	return rapid.Int64Range(from, to).Draw(t, name)
}

func TestBandsAreInTheOrderOfPrices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cheap := price(t, 0, product.MaxPrice-1, "price")
		bands, next := mongodb.BandsOf(cheap), mongodb.BandsOf(cheap+1)
		for nth := range bands {
			if next[nth] != bands[nth] && next[nth] != bands[nth]+1 {
				t.Errorf("%d is in the bands %v, one more in %v", cheap, bands, next)
			}
		}
	})
}

func TestARangeIsMadeUpOfFewBandsThatAreNearlyAllInIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cheapest := price(t, 0, product.MaxPrice, "cheapest")
		dearest := price(t, cheapest, product.MaxPrice, "dearest")
		bands := mongodb.BandsFrom(cheapest, dearest)
		among := func(price int64) int {
			return len(slices.DeleteFunc(mongodb.BandsOf(price), func(b int64) bool { return !slices.Contains(bands, b) }))
		}
		if within := price(t, cheapest, dearest, "within"); among(within) != 1 {
			t.Errorf("from %d to %d: %v; %d is in %d of them", cheapest, dearest, bands, within, among(within))
		}
		for _, outside := range []int64{cheapest - cheapest/64 - 1, dearest + dearest/64 + 1} {
			if outside >= 0 && outside <= product.MaxPrice && among(outside) > 0 {
				t.Errorf("from %d to %d: %v; so is %d", cheapest, dearest, bands, outside)
			}
		}
		if len(bands) > 31 {
			t.Errorf("from %d to %d: %d bands", cheapest, dearest, len(bands))
		}
	})
}
