//go:build !long

package workflows_test

// pairsSampled: one of so many pairs of disturbances is tried; all of them with the build tag long.
const pairsSampled = 50
