//go:build long

package storetest

import "time"

// How many orders a product has had, and how many random histories are played in memory, and on the real store in how many
// concurrent parts and for how long.
const (
	pastOrders      = 100_000
	memoryHistories = "20000"
	historyParts    = 8
	historiesEach   = 150
	historyTime     = time.Hour
)
