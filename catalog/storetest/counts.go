//go:build !long

package storetest

import "time"

// How many histories are played, in how many parts at once, and for how long; and how many of concurrent clients. The
// tests tagged long play more.
const (
	historyParts        = 1
	historiesEach       = 300
	historyTime         = 5 * time.Second
	concurrentHistories = 3
)
