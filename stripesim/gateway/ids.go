package gateway

import "crypto/rand"

// newID returns an identifier that cannot be guessed, as in pi_ABCDEF….
func newID(prefix string) string { return prefix + "_" + rand.Text()[:24] }
