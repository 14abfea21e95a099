package catalog

import (
	"context"
	"errors"
	"log/slog"
	"time"

	wire "github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
)

// server handles requests.
type server struct {
	products    *product.Service
	stock       *stock.Service
	unavailable func(error) bool
}

// options are what an API needs besides its services.
type options struct {
	log         *slog.Logger
	who         *auth.Authenticator
	checks      map[string]httpserver.Check
	unavailable func(error) bool // whether an error means that the store is down
}

// The scopes of tokens. Neither includes the other: the saga must not change prices, and a catalog manager must not release
// what orders hold. Looking at products needs no token.
const (
	scopeManager      = "catalog:manager"
	scopeReservations = "catalog:reservations"
)

// newAPI returns the catalog's HTTP API.
func newAPI(products *product.Service, units *stock.Service, o options) *httpapi.API {
	api := httpapi.New(httpapi.Config{
		Title: "Catalog", Version: "1.0.0", Log: o.log, Checks: o.checks, SecuritySchemes: o.who.Schemes(scopesHelp),
		Description: description,
	})
	api.UseMiddleware(o.who.Middleware)
	s := &server{products, units, o.unavailable}
	s.registerProducts(api, o.who)
	s.registerStock(api, o.who)
	s.registerReservations(api, o.who)
	api.Describe(texts)
	return api
}

// storeRetry is when a client should try again after the store was down.
const storeRetry = time.Second

// problemOf translates an error of the services into the problem that the client gets. Any other error is our mistake:
// httpapi logs it and responds with internal-error.
func (s *server) problemOf(err error) error {
	var short *stock.ShortError
	var unknown *stock.UnknownError
	var notSold *stock.NotSoldError
	var excess *stock.ExcessError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &short):
		return outOfStock.New("there is too little of %d of the products", len(short.Shortages)).
			With("shortages", shortages(short.Shortages))
	case errors.As(err, &notSold):
		return reservationNotSold.New("the reservation is %s", notSold.State).With("state", notSold.State)
	case errors.As(err, &excess):
		return returnTooLarge.New("too many units of %d of the products come back", len(excess.Excesses)).
			With("excesses", excesses(excess.Excesses))
	case errors.Is(err, stock.ErrReturnConflict):
		return returnConflict.New("the order has a return with this ID and other lines")
	case errors.As(err, &unknown):
		return productsNotFound(unknown.ProductIDs)
	case errors.Is(err, stock.ErrLines):
		return problem.Invalid.New("the lines cannot be reserved")
	case errors.Is(err, stock.ErrTooLong):
		return invalid(problem.Field{Pointer: "#/expiresAt", Detail: "must not be more than 30 days from now"})
	case errors.Is(err, stock.ErrBusy):
		return problem.Unavailable.New("too many concurrent orders of the same product").RetryAfter(storeRetry)
	case errors.Is(err, product.ErrExists):
		return productExists.New("the ID is taken")
	case errors.Is(err, product.ErrChanged):
		return productChanged.New("the product is not, or no longer, of a version in If-Match")
	case errors.Is(err, product.ErrOpenHolds):
		return productHasHolds.New("orders in progress hold units of the product")
	case errors.Is(err, product.ErrCurrency):
		return invalid(problem.Field{Pointer: "#/price/currency", Detail: "must be an ISO 4217 code"})
	case errors.Is(err, stock.ErrReleased):
		return reservationReleased.New("the reservation was released")
	case errors.Is(err, stock.ErrExpired):
		return reservationExpired.New("the reservation has expired")
	case errors.Is(err, stock.ErrNotFound):
		return reservationNotFound.New("nothing was ever reserved for this order")
	case errors.Is(err, context.Canceled):
		return err
	case s.unavailable(err):
		return storeUnavailable.New("the database does not respond").RetryAfter(storeRetry)
	}
	return err
}

// failed is problemOf, and logs why the store is down, which the client must not see.
func (s *server) failed(ctx context.Context, err error) error {
	if err != nil && s.unavailable(err) && ctx.Err() == nil {
		httpapi.Log(ctx).Warn("the store is down", "error", err.Error())
	}
	return s.problemOf(err)
}

// invalid is the problem of a request that breaks a rule that the schema cannot express.
func invalid(f problem.Field) *problem.Problem {
	p := problem.Invalid.New("the request breaks a rule; see errors")
	p.Errors = []problem.Field{f}
	return p
}

func productsNotFound(ids []string) *problem.Problem {
	return productNotFound.New("%d of the products are unknown", len(ids)).With("productIds", ids)
}

func excesses(in []stock.Excess) []wire.Excess {
	out := make([]wire.Excess, len(in))
	for i, x := range in {
		out[i] = wire.Excess(x)
	}
	return out
}

func shortages(in []stock.Shortage) []wire.Shortage {
	out := make([]wire.Shortage, len(in))
	for i, s := range in {
		out[i] = wire.Shortage(s)
	}
	return out
}
