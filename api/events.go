package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
)

// tooManyStreams is how long a client should wait when no more streams may be opened.
const tooManyStreams = 10 * time.Second

type eventsConfig struct {
	MaxStreams        int           `env:"EVENTS_MAX_STREAMS" envDefault:"1000" help:"open streams of GET /orders/{id}/events"`
	MaxStreamsPerUser int           `env:"EVENTS_MAX_STREAMS_PER_USER" envDefault:"20" help:"open streams of one user"`
	MaxDuration       time.Duration `env:"EVENTS_MAX_DURATION" envDefault:"15m" help:"longest stream; clients reconnect"`
}

func (c eventsConfig) Validate() error {
	if c.MaxStreams < 1 || c.MaxStreamsPerUser < 1 || c.MaxDuration <= 0 {
		return errors.New("EVENTS_MAX_STREAMS, EVENTS_MAX_STREAMS_PER_USER, EVENTS_MAX_DURATION: must be positive")
	}
	return nil
}

// events are the open streams of server-sent events.
type events struct {
	eventsConfig
	times   watchTimes
	running context.Context // done when the program is asked to stop: streams would hold it up
	watcher *watcher

	mu   sync.Mutex
	open int
	of   map[int64]int // streams by user; operators are not counted
}

// newEvents returns a set without open streams. All streams end when ctx is done.
func newEvents(ctx context.Context, c eventsConfig, times watchTimes, store changeReader, log *slog.Logger) *events {
	return &events{eventsConfig: c, times: times, running: ctx, watcher: newWatcher(store, times.poll, log), of: map[int64]int{}}
}

// admit counts a new stream, or refuses it. The caller calls leave when the stream ends.
func (e *events) admit(p principal) (leave func(), refused *problem.Problem) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.open >= e.MaxStreams:
		return nil, problem.Unavailable.New("too many streams are open; poll the order meanwhile").RetryAfter(tooManyStreams)
	case p.userID != 0 && e.of[p.userID] >= e.MaxStreamsPerUser:
		return nil, problem.TooMany.New("a user may have %d streams open at once", e.MaxStreamsPerUser).RetryAfter(tooManyStreams)
	}
	e.open++
	e.of[p.userID]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.open--
		if e.of[p.userID]--; e.of[p.userID] == 0 {
			delete(e.of, p.userID)
		}
	}, nil
}

func (a *orders) registerEvents(api *httpapi.API, secure func(huma.Operation) huma.Operation) {
	schema := func(t reflect.Type) *huma.Schema { return api.OpenAPI().Components.Schemas.Schema(t, true, "") }
	event := func(name string, data reflect.Type, doc string) *huma.Schema {
		return &huma.Schema{
			Type: huma.TypeObject, Title: name, Description: doc, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"id":    {Type: huma.TypeString, Description: "The ID of the last timeline entry; absent while there is none."},
				"event": {Type: huma.TypeString, Enum: []any{name}},
				"data":  schema(data),
			},
		}
	}
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "watchOrder", Method: http.MethodGet, Path: "/orders/{id}/events", Summary: "Watch an order",
		Description: eventsDescription,
		Responses: map[string]*huma.Response{"200": {
			Description: "Events, each a block of lines `id: …`, `event: …` and `data: …` (JSON on one line)",
			Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{
				Type: huma.TypeArray, Description: "The events of the stream, one item per event.",
				Items: &huma.Schema{OneOf: []*huma.Schema{
					event("entry", reflect.TypeFor[orderclient.Entry](), "A timeline entry"),
					event("order", reflect.TypeFor[orderclient.Order](), "The order in its present state"),
					event("end", reflect.TypeFor[orderclient.Order](), "The order in its final state"),
				}},
			}}},
		}},
	}), a.watch, orderNotFound, problem.TooMany, problem.Unavailable)
}

const eventStream = "text/event-stream"

type watchInput struct {
	OrderRef
	LastEventID string `header:"Last-Event-ID" pattern:"^[0-9]{1,18}$" example:"1042"`
}

// watch is GET /orders/{id}/events.
func (a *orders) watch(ctx context.Context, in *watchInput) (*huma.StreamResponse, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	o, err := a.findVisible(ctx, in.orderID())
	if err != nil {
		return nil, err
	}
	last, _ := strconv.ParseInt(in.LastEventID, 10, 64) // matched the pattern, or is empty: 0
	known := order.Change{Order: o}                     // an order without a row, or without news since last
	news, err := a.store.Changes(ctx, map[order.ID]int64{o.ID: last})
	if err != nil {
		return nil, toProblem(ctx, o.ID, err)
	}
	if len(news) > 0 {
		known = news[0]
	}
	p := principalOf(ctx)
	leave, refused := a.events.admit(p)
	if refused != nil {
		return nil, refused
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer leave()
		if hc.Method() == http.MethodHead { // a stream without a body would only hold its place
			hc.SetHeader("Content-Type", eventStream)
			return
		}
		ctx, cancel := whileTokenValid(ctx)
		defer cancel()
		s := newStream(humagin.Unwrap(hc).Writer, a.events.times, last, p.all)
		if err := a.events.feed(ctx, s, known); err != nil && ctx.Err() == nil {
			httpapi.Log(ctx).Info("a stream was interrupted", "error", err.Error())
		}
	}}, nil
}

// whileTokenValid returns a context that is done when the token of the request no longer allows what it began.
func whileTokenValid(ctx context.Context) (context.Context, context.CancelFunc) {
	if until := auth.TokenOf(ctx).Until; !until.IsZero() {
		return context.WithDeadline(ctx, until)
	}
	return context.WithCancel(ctx)
}

// feed writes what is known of an order, and then what happens to it, until the order ends, the stream reaches its longest
// duration, or the program stops. The client reconnects unless the order has ended.
func (e *events) feed(ctx context.Context, s *stream, known order.Change) error {
	ctx, cancel := context.WithTimeout(ctx, e.MaxDuration)
	defer cancel()
	if err := s.begin(); err != nil {
		return err
	}
	if ended, err := s.change(known); ended || err != nil {
		return err
	}
	w := e.watcher.add(known.Order.ID, s.last)
	defer e.watcher.remove(w)
	heartbeat := time.NewTicker(e.times.heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.running.Done():
			return nil
		case <-heartbeat.C:
			if err := s.write(": keep-alive\n\n"); err != nil {
				return err
			}
		case c, ok := <-w.changes:
			if !ok {
				return errSlow
			}
			if ended, err := s.change(c); ended || err != nil {
				return err
			}
		}
	}
}

var errSlow = errors.New("the client reads too slowly")
