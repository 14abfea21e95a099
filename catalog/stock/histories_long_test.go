//go:build long

package stock_test

// How many random histories are played, and how many of concurrent clients.
const (
	histories           = "20000"
	concurrentHistories = 5000
)
