//go:build !long

package stock_test

// pastOrders is how many orders a product has had. The tests tagged long use more.
const pastOrders = 20_000
