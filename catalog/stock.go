package catalog

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func (s *server) registerStock(api *httpapi.API, who *auth.Authenticator) {
	op := func(id, request, summary string) huma.Operation {
		return who.Require(operation("products", id, request, summary), scopeManager)
	}
	const one = "/products/{productId}"
	httpapi.Register(api, op("getStock", "GET "+one+"/stock", "Show where a product's units are"),
		s.units, productNotFound, storeUnavailable)
	httpapi.Register(api, op("restockProduct", "POST "+one+"/restock", "Add units to a product"),
		s.restock, productNotFound, keyReused, problem.Unavailable, storeUnavailable)
	httpapi.Register(api, op("correctStock", "POST "+one+"/corrections", "Correct a product's available units"),
		s.correct, productNotFound, outOfStock, keyReused, problem.Unavailable, storeUnavailable)
}

// units is GET /products/{productId}/stock.
func (s *server) units(ctx context.Context, in *ProductPath) (*body[wire.Stock], error) {
	u, err := s.stock.Units(ctx, in.ID)
	return s.unitsAre(ctx, in.ID, u, err)
}

// unitsAre returns the response with a product's units.
func (s *server) unitsAre(ctx context.Context, id string, u stock.Units, err error) (*body[wire.Stock], error) {
	if err != nil {
		return nil, s.productFailed(ctx, id, err)
	}
	return &body[wire.Stock]{wire.Stock(u)}, nil
}

type restockInput struct {
	ProductPath
	Key  string `header:"Idempotency-Key" required:"true" maxLength:"255" pattern:"^[\\x21-\\x7e]+$" example:"delivery-2026-11-27"`
	Body wire.Restock
}

// restock is POST /products/{productId}/restock.
func (s *server) restock(ctx context.Context, in *restockInput) (*body[wire.Stock], error) {
	u, err := s.stock.Restock(ctx, in.ID, in.Key, in.Body.Quantity)
	if errors.Is(err, stock.ErrConflict) {
		return nil, keyReused.New("the key was used with another quantity")
	}
	return s.unitsAre(ctx, in.ID, u, err)
}

type correctInput struct {
	ProductPath
	Key  string `header:"Idempotency-Key" required:"true" maxLength:"255" pattern:"^[\\x21-\\x7e]+$" example:"delivery-2026-11-27"`
	Body wire.Correction
}

// correct is POST /products/{productId}/corrections.
func (s *server) correct(ctx context.Context, in *correctInput) (*body[wire.Stock], error) {
	u, err := s.stock.Correct(ctx, in.ID, in.Key, in.Body.Quantity, in.Body.Reason)
	switch {
	case errors.Is(err, stock.ErrConflict):
		return nil, keyReused.New("the key was used with another quantity or reason")
	case errors.Is(err, stock.ErrLines):
		return nil, invalid(problem.Field{Pointer: "#/quantity", Detail: "must not be 0"})
	}
	return s.unitsAre(ctx, in.ID, u, err)
}
