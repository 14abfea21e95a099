package httpapi

import (
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5emb"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/*.html"))

var problemType = reflect.TypeFor[problem.Problem]()

// documentation serves the API's description: /openapi.json, /openapi.yaml, /docs and /problems.
func (a *API) documentation(title string) {
	asJSON := sync.OnceValue(func() []byte { return must(json.MarshalIndent(a.OpenAPI(), "", "  ")) })
	asYAML := sync.OnceValue(func() []byte { return must(a.OpenAPI().YAML()) })
	a.Router.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", asJSON()) })
	a.Router.GET("/openapi.yaml", func(c *gin.Context) { c.Data(http.StatusOK, "application/yaml", asYAML()) })
	a.docs(title)
	a.Router.GET("/problems", a.problemsPage)
	a.Router.GET("/problems/:name", a.problemPage)
}

// must panics on an error that only a mistake in the program can cause.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// docsPolicy lets Swagger UI run: only our own scripts, inline styles too, and images as data.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docs serves Swagger UI from assets in the binary. The page is our own because the library's needs inline scripts.
func (a *API) docs(title string) {
	assets := gin.WrapH(v5emb.New(title, "/openapi.json", "/docs/"))
	a.Router.GET("/docs", func(c *gin.Context) {
		page(c, docsPolicy, "docs.html", title)
	})
	a.Router.GET("/docs/*file", func(c *gin.Context) {
		c.Header("Content-Security-Policy", docsPolicy)
		c.Header("Cache-Control", "public, max-age=3600")
		switch file := c.Param("file"); file {
		case "/":
			c.Redirect(http.StatusMovedPermanently, "/docs")
		case "/init.js":
			c.FileFromFS("pages/init.js", http.FS(pages))
		case "/swagger-ui.css", "/swagger-ui-bundle.js", "/favicon-16x16.png", "/favicon-32x32.png":
			assets(c)
		default:
			c.Header("Cache-Control", "no-store")
			Respond(c, problem.NotFound.New("there is nothing at this path"))
		}
	})
}

// problemsPolicy is for pages without scripts.
const problemsPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'"

func (a *API) problemsPage(c *gin.Context) {
	types := slices.SortedFunc(maps.Values(a.problems), func(x, y problem.Type) int {
		if x.Status != y.Status {
			return x.Status - y.Status
		}
		return strings.Compare(x.Name, y.Name)
	})
	a.problemTypes(c, types)
}

func (a *API) problemPage(c *gin.Context) {
	t, ok := a.problems[c.Param("name")]
	if !ok {
		Respond(c, problem.NotFound.New("there is no such type of problem; /problems lists all of them"))
		return
	}
	a.problemTypes(c, []problem.Type{t})
}

func (a *API) problemTypes(c *gin.Context, types []problem.Type) {
	page(c, problemsPolicy, "problems.html", struct {
		Types     []problem.Type
		HeaderKiB int
	}{types, httpserver.MaxHeaderBytes >> 10})
}

func page(c *gin.Context, policy, name string, data any) {
	c.Header("Content-Security-Policy", policy)
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Status(http.StatusOK)
	_ = templates.ExecuteTemplate(c.Writer, name, data) // it fails only if the client went away
}
