//go:build long

package storetest

import "time"

// How many random histories are played in memory, and on the real store in how many concurrent parts and for how long.
const (
	memoryHistories = "20000"
	historyParts    = 8
	historiesEach   = 150
	historyTime     = time.Hour
)
