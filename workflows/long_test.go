//go:build long

package workflows_test

const pairsSampled = 1
