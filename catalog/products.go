package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/money"
)

func (s *server) registerProducts(api *httpapi.API, who *auth.Authenticator) {
	public := func(id, request, summary string) huma.Operation {
		return who.Public(operation("products", id, request, summary))
	}
	managed := func(id, request, summary string, status int) huma.Operation {
		op := operation("products", id, request, summary)
		op.DefaultStatus = status
		return who.Require(op, scopeManager)
	}
	const one = "/products/{productId}"
	down := storeUnavailable
	httpapi.Register(api, public("listProducts", "GET /products", "List products, newest first"), s.list, down)
	httpapi.Register(api, managed("createProduct", "POST /products", "Add a product", http.StatusCreated),
		s.create, productExists, down)
	httpapi.Register(api, public("getProduct", "GET "+one, "Show a product"), s.get, productNotFound, down)
	httpapi.Register(api, managed("replaceProduct", "PUT "+one, "Replace a product's details", http.StatusOK),
		s.replace, productNotFound, productChanged, ifMatchRequired, down)
	httpapi.Register(api, managed("changeProduct", "PATCH "+one, "Change some of a product's details", http.StatusOK),
		s.change, productNotFound, productChanged, ifMatchRequired, down)
	httpapi.Register(api, managed("deleteProduct", "DELETE "+one, "Delete a product", http.StatusNoContent),
		s.remove, productNotFound, productHasHolds, productChanged, down)
	httpapi.Register(api, public("priceProducts", "POST /prices", "Price many products"), s.prices, productNotFound, down)
}

// operation describes an operation in one section of the API's documentation. The request is a method and a path.
func operation(section, id, request, summary string) huma.Operation {
	method, path, _ := strings.Cut(request, " ")
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{section}}
}

// ProductPath is the input of operations on one product. It is exported because huma ignores unexported embedded types.
type ProductPath struct {
	ID string `path:"productId" maxLength:"200" example:"espresso-machine"`
}

const productIDPattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// productID matches the IDs that products can have. A product with any other ID does not exist.
var productID = regexp.MustCompile(productIDPattern)

type listInput struct {
	Category string `query:"category" minLength:"1" maxLength:"100"`
	MinPrice int64  `query:"minPrice" minimum:"0" maximum:"1000000000000"`
	MaxPrice int64  `query:"maxPrice" minimum:"0" maximum:"1000000000000" default:"1000000000000"`
	Q        string `query:"q" minLength:"1" maxLength:"200"`
	Cursor   string `query:"cursor" maxLength:"20" pattern:"^[0-9]+$"`
	Page     int    `query:"page" minimum:"1" maximum:"100000" default:"1"`
	Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"10"`
}

type body[T any] struct{ Body T }

// list is GET /products.
func (s *server) list(ctx context.Context, in *listInput) (*body[wire.ProductPage], error) {
	page, err := s.page(ctx, in)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := wire.ProductPage{
		Products: []wire.Product{}, TotalPages: page.Pages(), CurrentPage: page.Number,
		Total: page.Total, CountedAt: page.Counted.UTC(),
	}
	for _, p := range page.Products {
		out.Products = append(out.Products, shown(p))
	}
	if n := len(page.Products); n == in.Limit { // there may be more
		out.NextCursor = strconv.FormatInt(page.Products[n-1].Number, 10)
	}
	return &body[wire.ProductPage]{out}, nil
}

// errNoWord refuses a search by nothing, which would find everything.
var errNoWord = invalid(problem.Field{Parameter: "q", Detail: "has no word to search for"})

// page reads the page of a number, or the one after a cursor, which is the Number of a product.
func (s *server) page(ctx context.Context, in *listInput) (product.Page, error) {
	if in.Q != "" && len(product.Words(in.Q)) == 0 {
		return product.Page{}, errNoWord
	}
	if in.Cursor == "" {
		return s.products.List(ctx, in.filter(), in.Page, in.Limit)
	}
	number, err := strconv.ParseInt(in.Cursor, 10, 64)
	if err != nil || number < 1 || in.Page != 1 {
		return product.Page{}, invalid(problem.Field{
			Parameter: "cursor", Detail: "must be nextCursor of another page, and page must be absent",
		})
	}
	return s.products.ListBefore(ctx, in.filter(), number, in.Limit)
}

// filter leaves out bounds that exclude nothing, because a listing without bounds is faster.
func (in *listInput) filter() product.Filter {
	f := product.Filter{Category: in.Category, Words: product.Words(in.Q), MinPrice: in.MinPrice}
	if in.MaxPrice < product.MaxPrice {
		f.Below = in.MaxPrice + 1
	}
	return f
}

// shown is a product as the API shows it.
func shown(p product.Product) wire.Product {
	return wire.Product{
		ID: p.ID, Name: p.Name, Description: p.Description, Price: wire.Price(p.Price), Stock: p.Stock,
		Category: p.Category, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

type createdProduct struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     wire.Product
}

type productOutput struct {
	ETag string `header:"ETag"`
	Body wire.Product
}

// create is POST /products.
func (s *server) create(ctx context.Context, in *body[wire.NewProduct]) (*createdProduct, error) {
	n := in.Body
	p, err := s.products.Create(ctx, product.Product{
		ID: n.ID, Name: n.Name, Description: n.Description, Category: n.Category, Price: money.Money(n.Price), Stock: n.Stock,
	})
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	return &createdProduct{Location: "/products/" + p.ID, ETag: etag(p), Body: shown(p)}, nil
}

// get is GET /products/{productId}.
func (s *server) get(ctx context.Context, in *ProductPath) (*productOutput, error) {
	p, err := s.products.Product(ctx, in.ID)
	return s.product(ctx, in.ID, p, err)
}

// product returns the response with one product.
func (s *server) product(ctx context.Context, id string, p product.Product, err error) (*productOutput, error) {
	if err != nil {
		return nil, s.productFailed(ctx, id, err)
	}
	return &productOutput{etag(p), shown(p)}, nil
}

// etag returns the ETag of a product's details. Its stock may change without another ETag: no client writes it with them.
func etag(p product.Product) string { return fmt.Sprintf(`"%d"`, p.Version) }

// ifMatch returns the versions that a header If-Match names; nil means any.
func ifMatch(header string) product.Versions {
	if header == "" || strings.TrimSpace(header) == "*" {
		return nil
	}
	named := product.Versions{}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err == nil && etag(product.Product{Version: version}) == tag {
			named = append(named, version)
		}
	}
	return named
}

// productFailed is failed for operations on one product.
func (s *server) productFailed(ctx context.Context, id string, err error) error {
	if errors.Is(err, product.ErrNotFound) || errors.Is(err, stock.ErrProduct) {
		return productsNotFound([]string{id})
	}
	return s.failed(ctx, err)
}

type replaceInput struct {
	ProductPath
	IfMatch string `header:"If-Match" example:"*"`
	Body    wire.ProductDetails
}

// replace is PUT /products/{productId}.
func (s *server) replace(ctx context.Context, in *replaceInput) (*productOutput, error) {
	return s.changed(ctx, in.ID, in.IfMatch, product.Patch{
		Name: &in.Body.Name, Description: &in.Body.Description, Category: &in.Body.Category, Price: (*money.Money)(&in.Body.Price),
	})
}

type changeInput struct {
	ProductPath
	IfMatch string `header:"If-Match" example:"*"`
	Body    wire.ProductPatch
}

// change is PATCH /products/{productId}.
func (s *server) change(ctx context.Context, in *changeInput) (*productOutput, error) {
	return s.changed(ctx, in.ID, in.IfMatch, product.Patch{
		Name: in.Body.Name, Description: in.Body.Description, Category: in.Body.Category, Price: (*money.Money)(in.Body.Price),
	})
}

// changed changes a product that is of a version in If-Match, which must be there: without it, a client could overwrite a
// change that it has not seen, and would not even know.
func (s *server) changed(ctx context.Context, id, header string, p product.Patch) (*productOutput, error) {
	if header == "" {
		return nil, ifMatchRequired.New("send the product's ETag as If-Match, or * to change any version")
	}
	p.If = ifMatch(header)
	changed, err := s.products.Change(ctx, id, p)
	return s.product(ctx, id, changed, err)
}

type removeInput struct {
	ProductPath
	IfMatch string `header:"If-Match" example:"*"`
}

// remove is DELETE /products/{productId}.
func (s *server) remove(ctx context.Context, in *removeInput) (*struct{}, error) {
	if err := s.products.Delete(ctx, in.ID, ifMatch(in.IfMatch)); err != nil {
		return nil, s.productFailed(ctx, in.ID, err)
	}
	return nil, nil
}

// prices is POST /prices. It is all or nothing: a problem names every unknown product.
func (s *server) prices(ctx context.Context, in *body[wire.PricesRequest]) (*body[wire.Prices], error) {
	var ask []string
	for _, id := range in.Body.ProductIDs {
		if productID.MatchString(id) {
			ask = append(ask, id)
		}
	}
	found, err := s.products.Products(ctx, ask)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := wire.Prices{Prices: []wire.ProductPrice{}}
	var unknown []string
	for _, id := range in.Body.ProductIDs {
		p, ok := found[id]
		if !ok {
			unknown = append(unknown, id)
			continue
		}
		out.Prices = append(out.Prices, wire.ProductPrice{ProductID: id, Name: p.Name, Price: wire.Price(p.Price)})
	}
	if unknown != nil {
		return nil, productsNotFound(unknown)
	}
	return &body[wire.Prices]{out}, nil
}
