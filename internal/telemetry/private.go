package telemetry

import (
	"context"
	"net/url"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// private are the attributes that say who a person is. Libraries record them; they do not leave the process.
var private = []attribute.Key{
	semconv.ClientAddressKey, semconv.NetworkPeerAddressKey, semconv.NetworkPeerPortKey, semconv.UserAgentOriginalKey,
	semconv.URLQueryKey, "http.request.method_original",
}

// discreet sends spans without private attributes. Of the URL that a client calls it leaves scheme and host: the rest of a
// webhook's may be a secret.
type discreet struct{ sdk.SpanExporter }

func (d discreet) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	out := make([]sdk.ReadOnlySpan, len(spans))
	for i, s := range spans {
		out[i] = cleaned{s, clean(s.Attributes())}
	}
	return d.SpanExporter.ExportSpans(ctx, out)
}

// cleaned is a span with other attributes.
type cleaned struct {
	sdk.ReadOnlySpan
	attributes []attribute.KeyValue
}

func (c cleaned) Attributes() []attribute.KeyValue { return c.attributes }

// clean returns a copy of the attributes without what is private.
func clean(in []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(in))
	for _, a := range in {
		switch {
		case slices.Contains(private, a.Key):
		case a.Key == semconv.URLFullKey:
			if u, err := url.Parse(a.Value.AsString()); err == nil {
				out = append(out, semconv.URLFull(u.Scheme+"://"+u.Host))
			}
		default:
			out = append(out, a)
		}
	}
	return out
}
