package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpclient"
	"github.com/ordersaga/ordersaga/internal/moneytext"
)

// page is the page at /, for placing an order and watching its saga. Like any other client it uses only the documented
// operations.
//
// The products come from the catalog. The browser reads them through this program, at /catalog/products, so that the page
// needs only one origin: the catalog needs no CORS and no address that works in the browser, and pagePolicy forbids all other
// connections. The proxy passes on two read-only paths: of the request the query, and of the response the body.
type page struct {
	html    []byte
	catalog *httputil.ReverseProxy
}

// catalogTimeout bounds the catalog's response.
const catalogTimeout = 3 * time.Second

// pagePolicy allows only the page's own script, style and icon, and requests to its own origin.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed web
var web embed.FS

var pageTemplate = template.Must(template.ParseFS(web, "web/index.html"))

// newPage returns the page. It has a field for a token if needsToken is true.
func newPage(catalogURL string, needsToken bool) (*page, error) {
	catalog, err := url.Parse(catalogURL)
	if err != nil {
		return nil, fmt.Errorf("PAGE_CATALOG_URL: %w", err)
	}
	var html bytes.Buffer
	decimals, err := json.Marshal(moneytext.Decimals())
	if err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	if err := pageTemplate.Execute(&html, struct {
		NeedsToken bool
		Decimals   string
	}{needsToken, string(decimals)}); err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	transport := httpclient.NewTransport()
	transport.Proxy = nil // the catalog is on the same network
	transport.ResponseHeaderTimeout = catalogTimeout
	return &page{html.Bytes(), &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header = http.Header{"Accept": {"application/json"}} // no token and no cookie
			r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/catalog")
			r.SetURL(catalog)
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header = http.Header{"Content-Type": res.Header["Content-Type"]}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			httpapi.Log(r.Context()).Warn("the catalog did not respond to the page", "error", err.Error())
			p := problem.Unavailable.New("the catalog cannot be reached at the moment").RetryAfter(retryAfterOutage)
			p.Instance = httpapi.RequestID(r.Context())
			p.Write(w)
		},
	}}, nil
}

func (p *page) register(api *httpapi.API) {
	api.Router.GET("/", serve("text/html; charset=utf-8", p.html))
	for name, contentType := range map[string]string{
		"app.js": "text/javascript; charset=utf-8", "app.css": "text/css; charset=utf-8", "app.svg": "image/svg+xml",
	} {
		content, err := web.ReadFile("web/" + name)
		if err != nil {
			panic(err) // impossible: it is in the binary
		}
		api.Router.GET("/"+name, serve(contentType, content))
	}
	catalog := func(c *gin.Context) { p.catalog.ServeHTTP(c.Writer, c.Request) }
	api.Router.GET("/catalog/products", catalog)
	api.Router.GET("/catalog/products/:id", func(c *gin.Context) {
		if !productID.MatchString(c.Param("id")) { // it could name another path of the catalog
			httpapi.Respond(c, problem.NotFound.New("there is nothing at this path"))
			return
		}
		catalog(c)
	})
}

// productID matches the IDs that products can have.
var productID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// serve returns a handler for a file. The response is 304 if the browser has the file.
func serve(contentType string, content []byte) gin.HandlerFunc {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", pagePolicy)
		c.Header("Content-Type", contentType)
		c.Header("Cache-Control", "no-cache") // revalidate, so that a new version shows at once
		c.Header("ETag", tag)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(content))
	}
}
