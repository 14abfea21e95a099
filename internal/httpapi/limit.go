package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// maxBuckets is the number of clients that a Limiter remembers, which takes a few megabytes. If there are more, it forgets
// infrequent clients, which start again with a full bucket.
const maxBuckets = 50_000

// Limiter limits the requests of each client by a token bucket: a burst at once, and a rate per second in the long run. It is
// safe for concurrent use.
type Limiter struct {
	name    string // of the policy, in the headers
	rate    rate.Limit
	burst   int
	buckets *otter.Cache[string, *rate.Limiter]
}

// NewLimiter returns a limiter. If perSecond is 0 it returns nil, which limits nothing. Response headers show the name.
func NewLimiter(name string, perSecond float64, burst int) *Limiter {
	if perSecond == 0 {
		return nil
	}
	return newLimiter(name, perSecond, burst, maxBuckets)
}

func newLimiter(name string, perSecond float64, burst, size int) *Limiter {
	return &Limiter{
		name: name, rate: rate.Limit(perSecond), burst: burst,
		buckets: otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: size}),
	}
}

// Take takes a token from the client's bucket. It returns a problem if the bucket is empty, and adds the client's limit and
// remaining tokens to the headers (draft-ietf-httpapi-ratelimit-headers).
func (l *Limiter) Take(client string, h http.Header) *problem.Problem {
	if l == nil {
		return nil
	}
	bucket, _ := l.buckets.ComputeIfAbsent(client, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(l.rate, l.burst), false
	})
	now := time.Now()
	allowed := bucket.AllowN(now, 1)
	left := bucket.TokensAt(now)
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", l.name, l.burst, l.seconds(float64(l.burst))))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", l.name, max(int(left), 0), l.seconds(float64(l.burst)-left)))
	if allowed {
		return nil
	}
	return problem.TooMany.New("more than %g requests per second", float64(l.rate)).
		RetryAfter(time.Duration(l.seconds(1-left)) * time.Second)
}

// seconds returns the time to refill a number of tokens, rounded up.
func (l *Limiter) seconds(tokens float64) int { return int(math.Ceil(tokens / float64(l.rate))) }

// limitAddresses limits the requests from each client address. Probes are not limited.
func limitAddresses(l *Limiter) gin.HandlerFunc {
	return func(c *gin.Context) {
		if path := c.FullPath(); path == "/livez" || path == "/readyz" {
			return
		}
		if p := l.Take(network(c.ClientIP()), c.Writer.Header()); p != nil {
			Respond(c, p)
		}
	}
}

// network returns what counts as one address: for IPv6 the /64, because a customer gets at least a whole /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
