//go:build !long

package storetest

import "time"

// How many histories are played, in how many concurrent parts, and for how long. The
// tests tagged long play more.
const (
	historyParts  = 1
	historiesEach = 300
	historyTime   = 5 * time.Second
)
