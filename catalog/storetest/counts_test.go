//go:build !long

package storetest

import "time"

// How many orders a product has had, and how many random histories are played in memory, and on the real store in how many
// concurrent parts and for how long: as many as take a second or two under the race detector, and some seconds. The tests
// tagged long do more.
const (
	pastOrders      = 20_000
	memoryHistories = "4000"
	historyParts    = 1
	historiesEach   = 300
	historyTime     = 5 * time.Second
)
