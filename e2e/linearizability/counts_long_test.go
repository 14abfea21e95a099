//go:build long

package linearizability

// How many histories each store plays.
const (
	memoryHistories = 5000
	mongoHistories  = 100
)
