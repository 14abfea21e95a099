package notifier

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
)

const (
	readTimeout = 5 * time.Second // of one query
	retryAfter  = 5 * time.Second // sent to clients while the database is down
)

// newAPI serves the notifications of an order, and the probes.
func newAPI(store *store, checks map[string]httpserver.Check, log *slog.Logger) http.Handler {
	api := httpapi.New(httpapi.Config{
		Title: "Notifications", Version: "1.0.0", Log: log, Checks: checks,
		Description: "What customers and operators were told about orders. Read-only, for operators and tests.",
	})
	httpapi.Register(api, huma.Operation{
		Method: http.MethodGet, Path: "/notifications", OperationID: "listNotifications",
		Summary: "List the notifications about an order",
	}, store.list, problem.Unavailable)
	return api
}

type listInput struct {
	OrderID string `query:"orderId" required:"true" format:"uuid" doc:"The order's ID, a UUID in lower case." example:"0197a4b2-6c1e-7d3f-8a55-000000000001"`
}

type listOutput struct {
	Body struct {
		Notifications []notification `json:"notifications" nullable:"false" doc:"Oldest first; empty if there are none yet."`
	}
}

// list returns an empty list for an unknown order, because the notifier knows no orders, only its notifications.
func (s *store) list(ctx context.Context, in *listInput) (*listOutput, error) {
	id, err := order.ParseID(in.OrderID)
	if err != nil {
		p := problem.Invalid.New("the request breaks a rule: see errors")
		p.Errors = []problem.Field{{Parameter: "orderId", Detail: "expected a UUID in lower case"}}
		return nil, p
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	notes, err := s.ofOrder(ctx, id)
	if err != nil {
		httpapi.Log(ctx).Error("list notifications", "orderId", id, "error", err.Error())
		return nil, problem.Unavailable.New("the notifications cannot be read at the moment").RetryAfter(retryAfter)
	}
	var out listOutput
	out.Body.Notifications = notes
	return &out, nil
}
