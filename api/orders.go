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

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
)

// dependencies are what the API stands on.
type dependencies struct {
	store                store
	sagas                sagas
	who                  *auth.Authenticator
	log                  *slog.Logger
	checks               map[string]httpserver.Check
	defaultPaymentMethod string
	sagaURL              func(order.ID) string // where to see an order's saga; nil: nowhere
	now                  func() time.Time
	events               *events
	edge                 httpapi.Edge
	perUser              *httpapi.Limiter // of requests with a user's token; nil: none
}

// orders are the operations on orders.
type orders struct {
	store                store
	sagas                sagas
	defaultPaymentMethod string
	sagaURL              func(order.ID) string
	now                  func() time.Time
	events               *events
}

const description = `Place orders and see how they stand.

Orders are completed by a saga: the stock is reserved and the payment charged, or everything is undone. Send an
**Idempotency-Key** with every POST /orders, and repeat the request with the same key and body whenever you are not sure
what became of it: there will be one order. Errors are problems (RFC 9457); [/problems](/problems) lists every type and
what to do about it.`

// newAPI returns the program's API.
func newAPI(d dependencies) *httpapi.API {
	api := httpapi.New(httpapi.Config{
		Title: "Orders", Version: "1.0.0", Description: description, Log: d.log, Checks: d.checks,
		SecuritySchemes: d.who.Schemes(scopes), Edge: d.edge,
	})
	api.UseMiddleware(d.who.Middleware(api), identify(api, d.who), limitUsers(api, d.perUser))
	o := &orders{
		store: d.store, sagas: d.sagas, defaultPaymentMethod: d.defaultPaymentMethod, sagaURL: d.sagaURL, now: d.now,
		events: d.events,
	}
	o.register(api, func(op huma.Operation) huma.Operation {
		op.Tags = []string{"orders"}
		return d.who.Require(op, scopeOrders, scopeOperator)
	})
	return api
}

// register adds the operations. secure makes one of them ask who it is, and puts it with the others.
func (a *orders) register(api *httpapi.API, secure func(huma.Operation) huma.Operation) {
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "placeOrder", Method: http.MethodPost, Path: "/orders", Summary: "Place an order",
		Description: "Waits for the outcome, 10 seconds unless Prefer says otherwise. 201: confirmed and paid. 202: accepted, but not decided in time; look at Location. " +
			"A problem about an order carries its orderId.",
		DefaultStatus: http.StatusCreated, Responses: alsoAnswers(api, http.StatusAccepted, "Accepted: not decided yet"),
	}), a.place, outOfStock, paymentDeclined, mixedCurrencies, invalidAmount, productNotFound, orderCancelled, orderTimedOut,
		orderFailed, keyReused, problem.Unavailable, outcomeUnknown)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "getOrder", Method: http.MethodGet, Path: "/orders/{id}", Summary: "See an order",
		Responses: map[string]*huma.Response{"304": {Description: "Unchanged since If-None-Match"}},
	}), a.get, orderNotFound, problem.Unavailable)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "listOrders", Method: http.MethodGet, Path: "/orders", Summary: "List orders, newest first",
	}), a.list, problem.Unavailable)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "getTimeline", Method: http.MethodGet, Path: "/orders/{id}/timeline", Summary: "See what happened to an order",
	}), a.timeline, orderNotFound, problem.Unavailable)
	a.registerEvents(api, secure)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "cancelOrder", Method: http.MethodPost, Path: "/orders/{id}/cancel", Summary: "Cancel an order",
		Description: "200: the order has ended, and nothing is kept of it. 202: it is being undone. 409: it was confirmed first. Repeating is harmless.",
		Responses:   alsoAnswers(api, http.StatusAccepted, "Accepted: it is being undone"),
	}), a.cancel, orderNotFound, orderConfirmed, problem.Unavailable, outcomeUnknown)
}

// alsoAnswers documents a second status that is answered with an order.
func alsoAnswers(api *httpapi.API, status int, text string) map[string]*huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Order](), true, "Order")
	return map[string]*huma.Response{strconv.Itoa(status): {
		Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
		Headers: map[string]*huma.Param{
			"Location":    {Description: "Where to look", Schema: &huma.Schema{Type: huma.TypeString}},
			"Retry-After": {Description: "Seconds until looking makes sense", Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
}

type placeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[\\x21-\\x7e]+$" patternDescription:"visible ASCII characters" example:"7f1c9a52-order-1" doc:"A name of your choice for this order, unique among yours: the same key and body always mean the same order, and get the same answer, marked by Idempotency-Replayed. Another body under the same key is refused."`
	Prefer         string `header:"Prefer" example:"wait=5" doc:"wait=N: wait at most N seconds (60 at most, 10 by default) for the outcome. respond-async: do not wait."`
	Body           NewOrder

	prefer []string
}

// Resolve reads the headers as often as they were sent. A key that is empty or sent twice is refused, because whoever
// sends it believes to be safe.
func (in *placeInput) Resolve(ctx huma.Context) []error {
	var keys []string
	ctx.EachHeader(func(name, value string) {
		switch http.CanonicalHeaderKey(name) {
		case "Idempotency-Key":
			keys = append(keys, value)
		case "Prefer":
			in.prefer = append(in.prefer, value)
		}
	})
	switch {
	case len(keys) > 1:
		return []error{&huma.ErrorDetail{Location: "header.Idempotency-Key", Message: "is given more than once"}}
	case len(keys) == 1 && keys[0] == "":
		return []error{&huma.ErrorDetail{Location: "header.Idempotency-Key", Message: "is empty"}}
	}
	return nil
}

// OrderRef is the order that an operation is about. It is exported because huma does not see embedded types that are not.
type OrderRef struct {
	ID string `path:"id" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" patternDescription:"a UUID in lower case" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b" doc:"The order's ID, in lower case."`
}

func (in OrderRef) orderID() order.ID { return order.ID(in.ID) }

type orderOutput struct {
	Status            int
	Location          string `header:"Location" doc:"The order."`
	ETag              string `header:"ETag" doc:"The order's version; send it back in If-None-Match."`
	RetryAfter        string `header:"Retry-After" doc:"Seconds until looking again makes sense, while the order is PENDING."`
	CacheControl      string `header:"Cache-Control"`
	Link              string `header:"Link" doc:"Where to see the order's saga (rel=monitor)."`
	Replayed          string `header:"Idempotency-Replayed" doc:"true when the order was placed by an earlier request with the same key."`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              *Order
}

// output is an answer with an order.
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
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of what you have: 304 when it is still the same."`
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
	UserID int64        `query:"userId" minimum:"1" doc:"Only this user's. With a customer's token: always only that user's."`
	Status order.Status `query:"status" enum:"PENDING,CONFIRMED,FAILED,CANCELLED"`
	From   time.Time    `query:"createdFrom" example:"2026-11-01T00:00:00Z" doc:"Only orders that were created then or later."`
	To     time.Time    `query:"createdTo" example:"2026-12-01T00:00:00Z" doc:"Only orders that were created before."`
	// The pattern is that of a line's product.
	ProductID string `query:"productId" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" patternDescription:"1 to 64 letters, digits, dots, underscores and hyphens" example:"mug-blue" doc:"Only orders with a line of this product."`
	Limit     int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Orders per page."`
	Cursor    string `query:"cursor" maxLength:"200" doc:"Where the page before ended: its next. It goes with the same filters."`
}

// Resolve refuses a time that ends before it begins: its list would be empty whatever there is.
func (in *listInput) Resolve(huma.Context) []error {
	if !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To) {
		return []error{&huma.ErrorDetail{Location: "query.createdTo", Message: "is not after createdFrom"}}
	}
	return nil
}

type listOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         OrderPage
}

// list is GET /orders.
func (a *orders) list(ctx context.Context, in *listInput) (*listOutput, error) {
	p := principalOf(ctx)
	if in.UserID == 0 && !p.all {
		in.UserID = p.userID
	}
	if !p.sees(in.UserID) {
		return nil, problem.Forbidden.New("the token is about user %d: only that user's orders can be listed", p.userID)
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
		return nil, trouble(ctx, "", err)
	}
	out := &listOutput{CacheControl: "private, no-cache", Body: OrderPage{Orders: make([]Order, len(found)), Next: next}}
	for i, o := range found {
		out.Body.Orders[i] = toWire(o)
	}
	return out, nil
}

type timelineOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Timeline
}

// timeline is GET /orders/{id}/timeline. An order that has no row yet has an empty one.
func (a *orders) timeline(ctx context.Context, in *OrderRef) (*timelineOutput, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	if _, err := a.findVisible(ctx, in.orderID()); err != nil {
		return nil, err
	}
	records, err := a.store.Timeline(ctx, in.orderID())
	if err != nil && !errors.Is(err, order.ErrNotFound) {
		return nil, trouble(ctx, in.orderID(), err)
	}
	return &timelineOutput{
		CacheControl: "private, no-cache", Body: toTimeline(in.orderID(), records, principalOf(ctx).all),
	}, nil
}
