package api

import (
	"strconv"
	"strings"
	"time"
)

// How long POST /orders waits for the order's outcome. The longest wait is well below httpserver.WriteTimeout.
const (
	defaultWait = 10 * time.Second
	maxWait     = 60 * time.Second
)

// preference is what a client asks for with the header Prefer (RFC 7240).
type preference struct {
	wait    time.Duration // 0: do not wait
	applied string        // for the header Preference-Applied; "" without a preference
}

// parsePrefer understands wait=N (seconds, cut to maxWait) and respond-async. Together they mean: wait that long, then
// respond with 202. respond-async alone means: do not wait at all. As RFC 7240 demands, unknown preferences are ignored, and
// the first of two equal ones counts.
func parsePrefer(header string) preference {
	wait, async := -1, false
	for _, p := range strings.Split(header, ",") {
		p, _, _ = strings.Cut(p, ";")
		name, value, _ := strings.Cut(p, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			async = true
		case "wait":
			n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err == nil && wait < 0 {
				wait = int(n)
			}
		}
	}
	switch {
	case wait >= 0:
		wait = min(wait, int(maxWait/time.Second))
		return preference{time.Duration(wait) * time.Second, "wait=" + strconv.Itoa(wait)}
	case async:
		return preference{0, "respond-async"}
	default:
		return preference{defaultWait, ""}
	}
}
