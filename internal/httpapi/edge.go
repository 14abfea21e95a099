package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// Edge protects an API that is reachable from the Internet. Its zero value trusts no proxy, allows no other origin and
// limits nothing.
type Edge struct {
	TrustedProxies []string `env:"TRUSTED_PROXIES" help:"reverse proxies (addresses, networks) whose X-Forwarded-For is trusted"`
	CORSOrigins    []string `env:"CORS_ORIGINS" help:"origins whose pages may call the API, for example https://shop.example"`
	AddressRate    float64  `env:"RATE_LIMIT_PER_ADDRESS" envDefault:"50" help:"requests per second of an address; 0: no limit"`
	AddressBurst   int      `env:"RATE_LIMIT_PER_ADDRESS_BURST" envDefault:"100" help:"requests of an address at once"`
}

// Validate reports every invalid value.
func (e Edge) Validate() error {
	var errs []error
	for _, p := range e.TrustedProxies {
		_, notNetwork := netip.ParsePrefix(p)
		if _, err := netip.ParseAddr(p); err != nil && notNetwork != nil {
			errs = append(errs, fmt.Errorf("TRUSTED_PROXIES: %q is neither an address nor a network", p))
		}
	}
	for _, o := range e.CORSOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || o != u.Scheme+"://"+u.Host {
			errs = append(errs, fmt.Errorf("CORS_ORIGINS: %q is not an origin like https://shop.example", o))
		}
	}
	if e.AddressRate < 0 || e.AddressRate > 0 && e.AddressBurst < 1 {
		errs = append(errs, errors.New("RATE_LIMIT_PER_ADDRESS: want 0 or more, and a RATE_LIMIT_PER_ADDRESS_BURST of 1 or more"))
	}
	return errors.Join(errs...)
}

// crossOrigin lets pages of other origins call the API. Tokens are sent in a header, so it does not allow cookies.
func crossOrigin(origins []string) gin.HandlerFunc {
	c := cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer",
			RequestIDHeader,
		},
		ExposedHeaders: []string{
			"ETag", "Idempotency-Replayed", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy",
			"Retry-After", RequestIDHeader,
		},
		MaxAge: 600,
	})
	return func(ctx *gin.Context) {
		c.HandlerFunc(ctx.Writer, ctx.Request)
		if ctx.Request.Method == http.MethodOptions && ctx.GetHeader("Access-Control-Request-Method") != "" {
			ctx.Writer.WriteHeaderNow()
			ctx.Abort() // the response to a preflight is complete
		}
	}
}
