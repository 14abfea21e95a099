package httpapi

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
)

// Config describes an API and what it needs.
type Config struct {
	Title       string // of the documentation
	Version     string // of the API, for example 1.0.0
	Description string // Markdown, for the documentation
	Log         *slog.Logger
	// Checks decide what /readyz reports.
	Checks map[string]httpserver.Check
	// SecuritySchemes are only documented here; package auth makes and enforces them.
	SecuritySchemes map[string]*huma.SecurityScheme
	Edge            Edge
}

// API is a program's HTTP API: an http.Handler. Register adds operations to it. Use the embedded huma.API for middlewares,
// and Router for the rare route that is not an operation, such as a page.
type API struct {
	huma.API
	Router *gin.Engine

	problems map[string]problem.Type // every type of problem that this API can return, by name
	limited  bool                    // any operation may return too-many-requests
	complete sync.Once               // the first request ends the registration of routes
}

// New returns an API with the common paths and no operations yet. The edge must be valid.
func New(c Config) *API {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.RedirectTrailingSlash = false // one resource, one path
	router.UseRawPath = true             // see ServeHTTP
	router.HandleMethodNotAllowed = true
	router.ContextWithFallback = true
	router.RemoteIPHeaders = []string{"X-Forwarded-For"} // a trusted proxy may pass on a client's own X-Real-IP
	if err := router.SetTrustedProxies(c.Edge.TrustedProxies); err != nil {
		panic(err) // impossible: the edge is valid
	}
	router.Use(requests(c.Log), recovery, securityHeaders)
	if len(c.Edge.CORSOrigins) > 0 {
		router.Use(crossOrigin(c.Edge.CORSOrigins))
	}
	limiter := NewLimiter("address", c.Edge.AddressRate, c.Edge.AddressBurst)
	if limiter != nil {
		router.Use(limitAddresses(limiter))
	}
	router.NoRoute(func(c *gin.Context) {
		Respond(c, problem.NotFound.New("there is nothing at this path"))
	})
	router.NoMethod(func(c *gin.Context) {
		Respond(c, problem.MethodNotAllowed.New("%s is not allowed at this path", c.Request.Method))
	})
	a := &API{API: humagin.New(router, config(c)), Router: router, problems: map[string]problem.Type{}, limited: limiter != nil}
	for _, t := range problem.Common() {
		a.problems[t.Name] = t
	}
	probes := gin.WrapH(httpserver.Probes(c.Checks, c.Log))
	router.GET("/livez", probes)
	router.GET("/readyz", probes)
	router.GET("/metrics", probes)
	a.documentation(c.Title)
	return a
}

// ServeHTTP handles a request. Routes can be registered until the first one.
//
// The router compares decoded paths, in which an encoded slash would separate segments like any other. Only a path with an
// encoded slash is compared as it was sent.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.complete.Do(a.registerHEAD)
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength != 0 {
		// Nothing reads this body. The server would wait for it before the response, to use the connection again.
		w.Header().Set("Connection", "close")
		bodiless := *r
		bodiless.Body, bodiless.ContentLength, bodiless.TransferEncoding = http.NoBody, 0, nil
		r = &bodiless
	}
	if raw := r.URL.RawPath; raw != "" && !strings.Contains(strings.ToUpper(raw), "%2F") {
		decoded, u := *r, *r.URL
		u.RawPath, decoded.URL = "", &u
		r = &decoded
	}
	a.Router.ServeHTTP(w, r)
}

// registerHEAD adds HEAD wherever there is GET. The server leaves out the body.
func (a *API) registerHEAD() {
	for _, route := range a.Router.Routes() {
		if route.Method == http.MethodGet {
			a.Router.HEAD(route.Path, route.HandlerFunc)
		}
	}
}

func config(c Config) huma.Config {
	format := huma.Format{
		Marshal:   huma.DefaultJSONFormat.Marshal,
		Unmarshal: func(body []byte, v any) error { return json.Unmarshal(body, v) }, // checked before, see checkBody
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: c.Title, Version: c.Version, Description: c.Description},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: c.SecuritySchemes,
			},
		},
		// huma looks up types such as merge-patch+json by the part after the plus.
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{setInstance},
	}
}

// securityHeaders protects responses against misuse in a browser. Pages override the policy.
func securityHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	h.Set("Cache-Control", "no-store") // orders and stock change; some handlers override it
}

// Respond ends a request with a problem, outside of huma.
func Respond(c *gin.Context, p *problem.Problem) {
	p.Instance = RequestID(c.Request.Context())
	p.Write(c.Writer)
	c.Abort()
}
