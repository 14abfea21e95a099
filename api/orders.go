package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
)

// dependencies are what the API needs.
type dependencies struct {
	store                store
	refunds              refundStore
	engine               engine
	outcomes             *Outcomes
	refunded             *waiters[order.RefundID, order.Refund]
	cancelWindow         time.Duration   // since an order was confirmed; 0: customers can cancel it until it is shipped
	running              context.Context // done when the program must stop
	longestWait          time.Duration   // the longest wait for an outcome
	who                  *auth.Authenticator
	log                  *slog.Logger
	checks               map[string]httpserver.Check
	defaultPaymentMethod string
	sagaURL              func(order.ID) string // a page that shows an order's saga; nil: there is none
	now                  func() time.Time
	events               *events
	edge                 httpapi.Edge
	perUser              *httpapi.Limiter // for requests with a customer's token; nil: no limit
}

// orders are the operations on orders.
type orders struct{ dependencies }

// newAPI returns the program's API.
func newAPI(d dependencies) *httpapi.API {
	api := httpapi.New(httpapi.Config{
		Title: "Orders", Version: "1.0.0", Description: description, Log: d.log, Checks: d.checks,
		SecuritySchemes: d.who.Schemes(scopes), Edge: d.edge,
	})
	api.UseMiddleware(d.who.Middleware, identify(d.who), limitUsers(d.perUser))
	o := &orders{d}
	o.register(api, func(op huma.Operation) huma.Operation {
		op.Tags = []string{"orders"}
		return d.who.Require(op, scopeOrders, scopeOperator)
	})
	o.registerRefunds(api, func(op huma.Operation, scopes ...string) huma.Operation {
		op.Tags = []string{"refunds"}
		return d.who.Require(op, scopes...)
	})
	describeProblems(api)
	api.Describe(texts)
	return api
}

// register adds the operations. secure adds to each what they have in common: its tag and the scopes that it requires.
func (a *orders) register(api *httpapi.API, secure func(huma.Operation) huma.Operation) {
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "placeOrder", Method: http.MethodPost, Path: "/orders", Summary: "Place an order",
		Description: "Waits for the outcome, for 10 seconds unless Prefer names another time. 201: confirmed and paid. " +
			"202: accepted, but not decided in time; look at Location. A problem about an order has its orderId.",
		DefaultStatus: http.StatusCreated, Responses: alsoResponds(api, http.StatusAccepted, "Accepted: not decided yet", orderType),
	}), a.place, outOfStock, paymentDeclined, mixedCurrencies, invalidAmount, productNotFound, orderCancelled, orderTimedOut,
		orderFailed, keyReused, problem.Unavailable, outcomeUnknown)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "getOrder", Method: http.MethodGet, Path: "/orders/{id}", Summary: "Get an order",
		Responses: map[string]*huma.Response{"304": {Description: "The order is still the version in If-None-Match"}},
	}), a.get, orderNotFound, problem.Unavailable)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "listOrders", Method: http.MethodGet, Path: "/orders", Summary: "List orders, newest first",
	}), a.list, problem.Unavailable)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "getTimeline", Method: http.MethodGet, Path: "/orders/{id}/timeline", Summary: "Get the timeline of an order",
	}), a.timeline, orderNotFound, problem.Unavailable)
	a.registerEvents(api, secure)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "cancelOrder", Method: http.MethodPost, Path: "/orders/{id}/cancel", Summary: "Cancel an order",
		Description: "A PENDING order is undone. 200: it has ended; no stock is held and no money kept. 202: it is being " +
			"undone.\n\nOf a CONFIRMED order, all that is left is given back, and Location names the refund: the order stays " +
			"CONFIRMED. 200: the payment gateway has accepted the refund. 202: it has not answered yet. A customer can do that " +
			"while nothing is shipped, and within the shop's time for it. Repeating the request is harmless.",
		Responses: alsoResponds(api, http.StatusAccepted, "Accepted: the order is being undone or refunded", orderType),
	}), a.cancel, orderNotFound, orderShipped, cancelWindowOver, nothingLeft, paymentDisputed, refundRefused, problem.Unavailable,
		outcomeUnknown)
}

var orderType = reflect.TypeFor[orderclient.Order]()

// alsoResponds documents a second status of a response with a body of this type.
func alsoResponds(api *httpapi.API, status int, text string, body reflect.Type) map[string]*huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(body, true, body.Name())
	return map[string]*huma.Response{strconv.Itoa(status): {
		Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
		Headers: map[string]*huma.Param{
			"Location":    {Schema: &huma.Schema{Type: huma.TypeString}},
			"Retry-After": {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
}

type placeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[\\x21-\\x7e]+$" example:"7f1c9a52-order-1"`
	Prefer         string `header:"Prefer" example:"wait=5"`
	Body           orderclient.NewOrder
}

const orderIDPattern = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`

// OrderRef names the order that an operation is about. It is exported because huma ignores embedded types that are not.
type OrderRef struct {
	ID string `path:"id" pattern:"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"`
}

func (in OrderRef) orderID() order.ID { return order.ID(in.ID) }

type orderOutput struct {
	Status            int
	Location          string `header:"Location"`
	ETag              string `header:"ETag"`
	RetryAfter        string `header:"Retry-After"`
	CacheControl      string `header:"Cache-Control"`
	Link              string `header:"Link"`
	Replayed          string `header:"Idempotency-Replayed"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              *orderclient.Order
}

// output is a response with an order.
func (a *orders) output(status int, o order.Order) *orderOutput {
	body := toWire(o)
	out := &orderOutput{Status: status, ETag: etag(o), CacheControl: "private, no-cache", Body: &body}
	if a.sagaURL != nil {
		out.Link = "<" + a.sagaURL(o.ID) + `>; rel="monitor"`
	}
	return out
}

type getInput struct {
	OrderRef
	IfNoneMatch string `header:"If-None-Match"`
}

// get is GET /orders/{id}.
func (a *orders) get(ctx context.Context, in *getInput) (*orderOutput, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	o, err := a.findVisible(ctx, in.orderID())
	if err != nil {
		return nil, err
	}
	out := a.output(http.StatusOK, o)
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	if !o.Status.Final() {
		out.RetryAfter = "1"
	}
	return out, nil
}

type listInput struct {
	UserID    int64        `query:"userId" minimum:"1"`
	Status    order.Status `query:"status" enum:"PENDING,CONFIRMED,FAILED,CANCELLED"`
	From      time.Time    `query:"createdFrom" example:"2026-11-01T00:00:00Z"`
	To        time.Time    `query:"createdTo" example:"2026-12-01T00:00:00Z"`
	ProductID string       `query:"productId" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"mug-blue"`
	Limit     int          `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Cursor    string       `query:"cursor" minLength:"1" maxLength:"200"`
}

// Resolve rejects a period that ends before it begins: its list would always be empty.
func (in *listInput) Resolve(huma.Context) []error {
	if !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To) {
		return []error{&huma.ErrorDetail{Location: "query.createdTo", Message: "is not after createdFrom"}}
	}
	return nil
}

type listOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         orderclient.OrderPage
}

// list is GET /orders.
func (a *orders) list(ctx context.Context, in *listInput) (*listOutput, error) {
	p := principalOf(ctx)
	if in.UserID == 0 && !p.all {
		in.UserID = p.userID
	}
	if !p.sees(in.UserID) {
		return nil, problem.Forbidden.New("with the token of user %d you can list only that user's orders", p.userID)
	}
	found, next, err := a.store.Orders(ctx, order.Query{
		UserID: in.UserID, Status: in.Status, ProductID: in.ProductID, From: in.From, To: in.To,
		Limit: in.Limit, Cursor: in.Cursor,
	})
	if errors.Is(err, order.ErrCursor) {
		invalid := problem.Invalid.New("the request breaks a rule: see errors")
		invalid.Errors = []problem.Field{{Parameter: "cursor", Detail: "is not a cursor of this list"}}
		return nil, invalid
	}
	if err != nil {
		return nil, toProblem(ctx, "", err)
	}
	page := orderclient.OrderPage{Orders: make([]orderclient.Order, len(found)), Next: next}
	for i, o := range found {
		page.Orders[i] = toWire(o)
	}
	return &listOutput{CacheControl: "private, no-cache", Body: page}, nil
}

type timelineOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         orderclient.Timeline
}

// timeline is GET /orders/{id}/timeline. An order without a row yet has an empty timeline.
func (a *orders) timeline(ctx context.Context, in *OrderRef) (*timelineOutput, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	if _, err := a.findVisible(ctx, in.orderID()); err != nil {
		return nil, err
	}
	entries, err := a.store.Timeline(ctx, in.orderID())
	if err != nil && !errors.Is(err, order.ErrNotFound) {
		return nil, toProblem(ctx, in.orderID(), err)
	}
	timeline := orderclient.Timeline{OrderID: in.ID, Entries: make([]orderclient.Entry, len(entries))}
	for i, e := range entries {
		timeline.Entries[i] = toEntry(e, principalOf(ctx).all)
	}
	return &timelineOutput{"private, no-cache", timeline}, nil
}
