//go:build long

package workflows_test

const (
	pairsSampled = 1
	campaigns    = 500
)
