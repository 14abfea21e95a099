//go:build long

package e2e

import "time"

// outageLength is how long the catalog is down under load.
const outageLength = time.Minute
