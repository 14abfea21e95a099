package mongodb

import (
	"math/bits"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// Prices have places on a scale that is exact below 128 and rises by 64 from each higher price to its double. The scale is
// divided into bands of 1, 4, 16, 64 and 256 places, so that each price is in one of every width, and any range of prices
// is made up of a few.

// bandWidths is how many widths there are.
const bandWidths = 5

// place is that of a price that is not negative.
func place(amount int64) int64 {
	shift := max(0, bits.Len64(uint64(amount))-7)
	return int64(shift)<<6 + amount>>shift
}

// band is the number of the band of a place: of the nth width, from 0.
func band(place int64, nth int) int64 { return int64(nth)<<16 + place>>(2*nth) }

// bandsOf are the bands of a price, one of each width.
func bandsOf(amount int64) []int64 {
	var bands []int64
	for nth := range bandWidths {
		bands = append(bands, band(place(amount), nth))
	}
	return bands
}

// bandsFrom are the bands that a range of prices is made up of, 31 at most. Those at its ends may be wider by up to a
// place.
func bandsFrom(cheapest, dearest int64) []int64 {
	first, last := place(cheapest), place(dearest)
	if dearest >= product.MaxPrice {
		last |= 1<<(2*(bandWidths-1)) - 1 // there are none above: up to the end of the widest band
	}
	bands := []int64{}
	for p := first; p <= last; {
		nth := 0
		for wider := int64(4); nth+1 < bandWidths && p%wider == 0 && p+wider-1 <= last; wider *= 4 {
			nth++
		}
		bands = append(bands, band(p, nth))
		p += 1 << (2 * nth)
	}
	return bands
}
