//go:build !long

package stock_test

// How many random histories are played, and how many of concurrent clients. The tests tagged long play more.
const (
	histories           = "4000"
	concurrentHistories = 100
)
