//go:build long

package storetest

import "time"

// How many histories are played, in how many parts at once, and for how long; and how many of concurrent clients.
const (
	historyParts        = 8
	historiesEach       = 150
	historyTime         = time.Hour
	concurrentHistories = 100
)
