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

// server answers requests.
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
	unavailable func(error) bool // whether an error means that the store does not answer
}

// The scopes of tokens. Neither includes the other: the saga may not change prices, and whoever looks after the products
// may not release what orders hold. Browsing needs none of them, because a shop's window is for everybody.
const (
	scopeManager      = "catalog:manager"
	scopeReservations = "catalog:reservations"
)

const scopes = "Scope " + scopeManager + ": changing products and their stock. Scope " + scopeReservations +
	": reserving, committing and releasing stock for orders. Looking at products and their prices needs no token."

// newAPI returns the catalog's HTTP API.
func newAPI(products *product.Service, units *stock.Service, o options) *httpapi.API {
	api := httpapi.New(httpapi.Config{
		Title: "Catalog", Version: "1.0.0", Log: o.log, Checks: o.checks, SecuritySchemes: o.who.Schemes(scopes),
		Description: "Products, prices and stock. Reserving, committing and releasing have their effect once, however often they are called, and in whatever order the calls arrive.",
	})
	api.UseMiddleware(o.who.Middleware(api))
	s := &server{products, units, o.unavailable}
	s.registerProducts(api, o.who)
	s.registerReservations(api, o.who)
	return api
}

// storeRetry is when a client may come back after the store did not answer.
const storeRetry = time.Second

// answer translates every error of the services into what the client is told. Errors that are not in here are ours:
// they are logged and answered as internal-error.
func (s *server) answer(err error) error {
	var short *stock.ShortError
	var unknown *stock.UnknownError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &short):
		return outOfStock.New("there is too little of %d of the products", len(short.Shortages)).
			With("shortages", shortages(short.Shortages))
	case errors.As(err, &unknown):
		return productsNotFound(unknown.ProductIDs)
	case errors.Is(err, stock.ErrLines):
		return problem.Invalid.New("the lines cannot be reserved")
	case errors.Is(err, stock.ErrBusy):
		return problem.Unavailable.New("too many orders at once want the same product").RetryAfter(storeRetry)
	case errors.Is(err, product.ErrExists):
		return productExists.New("the ID is taken")
	case errors.Is(err, product.ErrOpenHolds):
		return productHasHolds.New("orders in progress hold units of the product")
	case errors.Is(err, product.ErrCurrency):
		p := problem.Invalid.New("the request breaks a rule: see errors")
		p.Errors = []problem.Field{{Pointer: "#/price/currency", Detail: "is not a currency of ISO 4217"}}
		return p
	case errors.Is(err, stock.ErrReleased):
		return reservationReleased.New("the reservation was released")
	case errors.Is(err, stock.ErrExpired):
		return reservationExpired.New("the reservation has expired")
	case errors.Is(err, stock.ErrNotFound):
		return reservationNotFound.New("nothing was ever reserved for this order")
	case errors.Is(err, context.Canceled):
		return err
	case s.unavailable(err):
		return storeUnavailable.New("the database does not answer").RetryAfter(storeRetry)
	}
	return err
}

// failed is answer, and logs what the client is not told about a store that does not answer.
func (s *server) failed(ctx context.Context, err error) error {
	if err != nil && s.unavailable(err) && ctx.Err() == nil {
		httpapi.Log(ctx).Warn("the store does not answer", "error", err.Error())
	}
	return s.answer(err)
}

func productsNotFound(ids []string) *problem.Problem {
	return productNotFound.New("%d of the products are not known", len(ids)).With("productIds", ids)
}

func shortages(in []stock.Shortage) []wire.Shortage {
	out := make([]wire.Shortage, len(in))
	for i, s := range in {
		out[i] = wire.Shortage(s)
	}
	return out
}
