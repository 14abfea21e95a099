//go:build !long

package workflows_test

const (
	// pairsSampled: the tests run one in this many pairs of disturbances, and all of them with the build tag long.
	pairsSampled = pairsInTest
	// campaigns of 100 random schedules each.
	campaigns = 15
)
