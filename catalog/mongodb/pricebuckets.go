package mongodb

import (
	"math/bits"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// Price buckets are coarse ranges of prices that are indexed. Prices are mapped to a scale that is exact below 128 and has
// 64 steps from each power of two to the next. The scale is divided into buckets of 1, 4, 16, 64 and 256 steps. Each price
// is in one bucket of every width, and a few buckets make up any range of prices.

// bucketWidths is how many widths there are.
const bucketWidths = 5

// priceStep is where a price, which is not negative, is on the scale.
func priceStep(amount int64) int64 {
	shift := max(0, bits.Len64(uint64(amount))-7)
	return int64(shift)<<6 + amount>>shift
}

// bucket is the number of the step's bucket of the nth width, from 0.
func bucket(step int64, nth int) int64 { return int64(nth)<<16 + step>>(2*nth) }

// bucketsOf returns the buckets of a price, one of each width.
func bucketsOf(amount int64) []int64 {
	var buckets []int64
	for nth := range bucketWidths {
		buckets = append(buckets, bucket(priceStep(amount), nth))
	}
	return buckets
}

// bucketsFrom returns the buckets that make up a range of prices, at most 31. Without an upper bound, below is 0. The first
// and the last bucket may reach beyond the range by less than a step.
func bucketsFrom(lowest, below int64) []int64 {
	first, last := priceStep(lowest), priceStep(below-1)
	if below == 0 {
		last = priceStep(product.MaxPrice) | 1<<(2*(bucketWidths-1)) - 1 // go up to the end of the widest bucket
	}
	buckets := []int64{}
	for at := first; at <= last; {
		nth := 0
		for wider := int64(4); nth+1 < bucketWidths && at%wider == 0 && at+wider-1 <= last; wider *= 4 {
			nth++
		}
		buckets = append(buckets, bucket(at, nth))
		at += 1 << (2 * nth)
	}
	return buckets
}
