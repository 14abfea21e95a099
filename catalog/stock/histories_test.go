//go:build !long

package stock_test

// How many random histories are played, and how many orders a product has had: as
// many as take a second or two under the race detector. The tests tagged long play more.
const (
	histories  = "4000"
	pastOrders = 20_000
)
