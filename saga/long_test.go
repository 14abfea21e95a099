//go:build long

package saga_test

const campaigns = 500
