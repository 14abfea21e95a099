//go:build long

package stock_test

// pastOrders is how many orders a product has had.
const pastOrders = 100_000
