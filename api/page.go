package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// page is the page at /, on which one places an order and watches its saga. It is a client of the API like any other: it
// stands on the documented operations and on nothing else of this program.
//
// The products are the catalog's. The browser reads them through us, at /catalog/products, so that the page needs one
// origin only: no CORS at the catalog, no address that is right on the server and wrong in the browser, and a policy
// (pagePolicy) that lets the page talk to nobody else. Two read-only paths are passed on, nothing of the request but the
// query, and nothing of the answer but its body.
type page struct {
	html    []byte
	catalog *httputil.ReverseProxy
}

// catalogTimeout is how long the catalog may take to answer.
const catalogTimeout = 3 * time.Second

// pagePolicy allows what the page is made of: its own script, style and icon, and calls to where it came from.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed web
var web embed.FS

var pageTemplate = template.Must(template.ParseFS(web, "web/index.html"))

// newPage returns the page. NeedsToken says that it has to ask for one.
func newPage(catalogURL string, needsToken bool) (*page, error) {
	catalog, err := url.Parse(catalogURL)
	if err != nil {
		return nil, fmt.Errorf("PAGE_CATALOG_URL: %w", err)
	}
	var html bytes.Buffer
	if err := pageTemplate.Execute(&html, struct{ NeedsToken bool }{needsToken}); err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // the catalog is a neighbour
	transport.ResponseHeaderTimeout = catalogTimeout
	return &page{html.Bytes(), &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header = http.Header{"Accept": {"application/json"}} // above all no token and no cookie
			r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/catalog")
			r.SetURL(catalog)
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header = http.Header{"Content-Type": res.Header["Content-Type"]}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			httpapi.Log(r.Context()).Warn("the catalog does not answer the page", "error", err.Error())
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
			panic(err) // it is in the binary
		}
		api.Router.GET("/"+name, serve(contentType, content))
	}
	catalog := func(c *gin.Context) { p.catalog.ServeHTTP(c.Writer, c.Request) }
	api.Router.GET("/catalog/products", catalog)
	api.Router.GET("/catalog/products/:id", catalog)
}

// serve answers with a file, or with 304 when the browser has it already.
func serve(contentType string, content []byte) gin.HandlerFunc {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", pagePolicy)
		c.Header("Content-Type", contentType)
		c.Header("Cache-Control", "no-cache") // ask, so that a new binary shows at once
		c.Header("ETag", tag)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(content))
	}
}
