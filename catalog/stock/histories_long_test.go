//go:build long

package stock_test

// How many random histories are played, how many of concurrent clients, and how many orders a product has behind it.
const (
	histories           = "20000"
	concurrentHistories = 5000
	pastOrders          = 100_000
)
