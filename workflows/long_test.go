//go:build long

package workflows_test

import "github.com/ordersaga/ordersaga/saga/sagatest"

const (
	pairsTried  = sagatest.AllPairs
	randomTried = 50_000
)
