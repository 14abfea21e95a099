//go:build long

package stock_test

// How many random histories are played, and how many orders a product has had.
const (
	histories  = "20000"
	pastOrders = 100_000
)
