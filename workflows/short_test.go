//go:build !long

package workflows_test

const (
	// pairsSampled: one of so many pairs of disturbances is tried; all of them with the build tag long.
	pairsSampled = pairsInTest
	// campaigns of 100 random schedules each.
	campaigns = 15
)
