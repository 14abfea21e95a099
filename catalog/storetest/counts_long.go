//go:build long

package storetest

import "time"

// How many histories are played, in how many concurrent parts, and for how long.
const (
	historyParts  = 8
	historiesEach = 150
	historyTime   = time.Hour
)
