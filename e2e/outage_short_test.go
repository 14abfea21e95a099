//go:build !long

package e2e

import "time"

// outageLength is how long the catalog is down under load: long enough for the worker's breaker to open. The tests
// tagged long take a minute.
const outageLength = 10 * time.Second
