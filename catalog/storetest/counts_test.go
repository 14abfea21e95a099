//go:build !long

package storetest

import "time"

// How many random histories are played in memory, and on the real store in how many concurrent parts and for how long: as
// many as take a second or two under the race detector, and some seconds. The tests tagged long play more.
const (
	memoryHistories = "4000"
	historyParts    = 1
	historiesEach   = 300
	historyTime     = 5 * time.Second
)
