package mongodb_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
)

// price draws a price from a range, small ones as often as large ones.
func price(t *rapid.T, from, to int64, name string) int64 {
	to = min(to, max(from, 1<<rapid.IntRange(0, 40).Draw(t, name+"'s magnitude")))
	return rapid.Int64Range(from, to).Draw(t, name)
}

func TestPriceBucketsAreInTheOrderOfPrices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cheap := price(t, 0, product.MaxPrice-1, "price")
		buckets, next := mongodb.BucketsOf(cheap), mongodb.BucketsOf(cheap+1)
		for nth := range buckets {
			if next[nth] != buckets[nth] && next[nth] != buckets[nth]+1 {
				t.Errorf("%d is in the buckets %v, the next price in %v", cheap, buckets, next)
			}
		}
	})
}

func TestFewBucketsMakeUpARangeOfPricesNearlyExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lowest := price(t, 0, product.MaxPrice, "lowest")
		highest := price(t, lowest, product.MaxPrice, "highest")
		below := highest + 1
		if highest == product.MaxPrice {
			below = 0
		}
		buckets := mongodb.BucketsFrom(lowest, below)
		among := func(price int64) int {
			return len(slices.DeleteFunc(mongodb.BucketsOf(price), func(b int64) bool { return !slices.Contains(buckets, b) }))
		}
		if within := price(t, lowest, highest, "within"); among(within) != 1 {
			t.Errorf("from %d to %d: %v; %d is in %d of them, want 1", lowest, highest, buckets, within, among(within))
		}
		for _, outside := range []int64{lowest - lowest/64 - 1, highest + highest/64 + 1} {
			if outside >= 0 && outside <= product.MaxPrice && among(outside) > 0 {
				t.Errorf("from %d to %d: %v; %d is in one of them", lowest, highest, buckets, outside)
			}
		}
		if len(buckets) > 31 {
			t.Errorf("from %d to %d: %d buckets", lowest, highest, len(buckets))
		}
	})
}
