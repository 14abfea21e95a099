//go:build !long

package e2e

import "time"

// outageLength is how long the catalog is down under load: long enough for the worker's breaker to open. With the tag long
// it is a minute.
const outageLength = 10 * time.Second
