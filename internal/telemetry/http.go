package telemetry

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Request is what is known about a request when it arrives.
type Request struct {
	// Caller is the client's span, if the client sent a trace context.
	Caller trace.SpanContext
	At     time.Time
}

type requestKey struct{}

// WithRequest returns a context that belongs to the request.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request that ctx belongs to; the zero value outside of one.
func RequestOf(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}

// Server traces and measures the requests that next handles, except for probes and metrics. The handler sets the request's
// Pattern to the route, before it passes on a copy; without one, a span has the name of the method alone.
func Server(next http.Handler) http.Handler {
	active, err := otel.Meter("http").Int64UpDownCounter("http.server.active_requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests that are being handled."))
	if err != nil {
		otel.Handle(err)
	}
	traced := otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		active.Add(r.Context(), 1)
		defer active.Add(r.Context(), -1)
		next.ServeHTTP(w, r)
	}), "")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		caller := trace.SpanContextFromContext(
			propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header)))
		traced.ServeHTTP(w, r.WithContext(WithRequest(r.Context(), Request{Caller: caller, At: time.Now()})))
	})
}

// peerService is the attribute that names whom a client calls.
const peerService = attribute.Key("peer.service")

// Transport traces and measures the requests that base sends to a service.
func Transport(peer string, base http.RoundTripper) http.RoundTripper {
	name := peerService.String(peer)
	return &transport{name: name, base: base, traced: otelhttp.NewTransport(base,
		otelhttp.WithSpanOptions(trace.WithAttributes(name)),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + peer }))}
}

type transport struct {
	name         attribute.KeyValue
	base, traced http.RoundTripper
}

// RoundTrip names the service in the metrics.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var labels otelhttp.Labeler
	labels.Add(t.name)
	return t.traced.RoundTrip(r.WithContext(otelhttp.ContextWithClientLabeler(r.Context(), &labels)))
}

// CloseIdleConnections lets http.Client close them: otelhttp's transport does not.
func (t *transport) CloseIdleConnections() {
	(&http.Client{Transport: t.base}).CloseIdleConnections()
}
