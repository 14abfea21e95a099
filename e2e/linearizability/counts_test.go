//go:build !long

package linearizability

// How many histories each store plays. The tests tagged long play more.
const (
	memoryHistories = 100
	mongoHistories  = 3
)
