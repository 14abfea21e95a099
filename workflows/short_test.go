//go:build !long

package workflows_test

const (
	// The tests try a part of the pairs of disturbances. With the build tag long they try all.
	pairsTried  = pairsInTest
	randomTried = randomInTest
)
