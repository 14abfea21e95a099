package catalog

import (
	"context"
	"errors"
	"fmt"
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
	released := op("releaseStock", "DELETE "+path, "Give back what an order holds, or has bought and not returned")
	released.Description = "Every later reservation of the order is refused, even if there was nothing to release."
	returned := op("returnStock", "PUT "+path+"/returns/{returnId}", "Take back some of the units that an order has bought")
	returned.Description = "The units are for sale again when the response arrives, except those that are written off."
	httpapi.Register(api, op("reserveStock", "PUT "+path, "Hold units for an order: all lines or none"),
		s.reserve, append(gone, reservationConflict, productNotFound)...)
	httpapi.Register(api, op("commitStock", "POST "+path+"/commit", "Sell what an order holds"),
		s.commit, append(gone, reservationNotFound)...)
	httpapi.Register(api, returned, s.takeBack, reservationNotFound, reservationNotSold, returnConflict, returnTooLarge,
		storeUnavailable, problem.Unavailable)
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

type returnInput struct {
	OrderPath
	Key string `path:"returnId" pattern:"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" example:"0190d2ad-7b1e-7f4a-8c55-3d6e8a9b0c1d"`

	Body wire.ReturnRequest
}

func (s *server) takeBack(ctx context.Context, in *returnInput) (*body[wire.Reservation], error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	httpapi.Annotate(ctx, "returnId", in.Key)
	var lines []stock.ReturnLine
	for i, l := range in.Body.Lines {
		if l.WriteOff > l.Quantity {
			return nil, invalid(problem.Field{Pointer: fmt.Sprintf("#/lines/%d/writeOff", i), Detail: "must be at most quantity"})
		}
		lines = append(lines, stock.ReturnLine(l))
	}
	r, err := s.stock.Return(ctx, in.ID, in.Key, lines)
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
	for _, b := range r.Returns {
		back := wire.Return{ID: b.ID}
		for _, l := range b.Lines {
			back.Lines = append(back.Lines, wire.ReturnedLine(l))
		}
		out.Returns = append(out.Returns, back)
	}
	return &body[wire.Reservation]{out}, nil
}
