package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

func (s *server) registerReservations(api *httpapi.API, who *auth.Authenticator) {
	op := func(id, request, summary string) huma.Operation {
		return who.Require(operation("reservations", id, request, summary), scopeReservations)
	}
	const path = "/reservations/{orderId}"
	gone := []problem.Type{reservationReleased, reservationExpired, outOfStock, storeUnavailable, problem.Unavailable}
	released := op("releaseStock", "DELETE "+path, "Give back what an order holds or has bought")
	released.Description = "Every later reservation of the order is refused, even if there was nothing to release."
	httpapi.Register(api, op("reserveStock", "PUT "+path, "Hold units for an order: all lines or none"),
		s.reserve, append(gone, reservationConflict, productNotFound)...)
	httpapi.Register(api, op("commitStock", "POST "+path+"/commit", "Sell what an order holds"),
		s.commit, append(gone, reservationNotFound)...)
	httpapi.Register(api, released, s.release, storeUnavailable, problem.Unavailable)
	httpapi.Register(api, op("getReservation", "GET "+path, "Show an order's reservation"),
		s.reservation, reservationNotFound, storeUnavailable)
}

// OrderPath is the input of operations on an order's reservation. It is exported for the same reason as ProductPath.
type OrderPath struct {
	ID string `path:"orderId" pattern:"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"`
}

type reserveInput struct {
	OrderPath
	Body wire.ReservationRequest
}

func (s *server) reserve(ctx context.Context, in *reserveInput) (*body[wire.Reservation], error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	var lines []stock.Line
	var unknown []string
	for _, l := range in.Body.Lines {
		if !productID.MatchString(l.ProductID) {
			unknown = append(unknown, l.ProductID)
		}
		lines = append(lines, stock.Line(l))
	}
	if unknown != nil {
		return nil, productsNotFound(unknown)
	}
	r, err := s.stock.Reserve(ctx, in.ID, lines, in.Body.ExpiresAt.UTC().Truncate(time.Millisecond))
	if errors.Is(err, stock.ErrConflict) {
		return nil, reservationConflict.New("the order has reserved other lines")
	}
	return s.reservationIs(ctx, r, err)
}

func (s *server) commit(ctx context.Context, in *OrderPath) (*body[wire.Reservation], error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	r, err := s.stock.Commit(ctx, in.ID)
	return s.reservationIs(ctx, r, err)
}

func (s *server) release(ctx context.Context, in *OrderPath) (*body[wire.Reservation], error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	r, err := s.stock.Release(ctx, in.ID)
	return s.reservationIs(ctx, r, err)
}

func (s *server) reservation(ctx context.Context, in *OrderPath) (*body[wire.Reservation], error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	r, err := s.stock.Reservation(ctx, in.ID)
	return s.reservationIs(ctx, r, err)
}

// reservationIs returns the response with a reservation.
func (s *server) reservationIs(ctx context.Context, r stock.Reservation, err error) (*body[wire.Reservation], error) {
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := wire.Reservation{
		OrderID: r.ID, State: string(r.State), Reason: string(r.Why), Lines: []wire.ReservedLine{},
		ExpiresAt: r.ExpiresAt, UpdatedAt: r.UpdatedAt.UTC().Truncate(time.Millisecond),
	}
	for _, l := range r.Lines {
		out.Lines = append(out.Lines, wire.ReservedLine(l))
	}
	return &body[wire.Reservation]{out}, nil
}
