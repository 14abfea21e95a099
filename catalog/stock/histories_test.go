//go:build !long

package stock_test

// How many random histories are played, how many of concurrent clients, and how many orders a product has behind it: as
// many as take a second or two under the race detector. The tests tagged long play more.
const (
	histories           = "4000"
	concurrentHistories = 100
	pastOrders          = 20_000
)
