//go:build !long

package saga_test

// campaigns of 100 random sagas each.
const campaigns = 15
