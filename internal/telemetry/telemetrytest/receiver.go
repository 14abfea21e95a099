// Package telemetrytest receives traces as a collector would, for tests.
package telemetrytest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is what a test wants to know about a span.
type Span struct {
	Service, Name     string
	Trace, ID, Parent string // in hexadecimal; Parent is empty for the root
	Start, End        uint64 // Unix nanoseconds
	Broken            bool
	Attributes        map[string]string
}

// Receiver is an OTLP receiver over HTTP.
type Receiver struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	mu    sync.Mutex
	spans []Span
}

// NewReceiver starts a receiver, which ends with the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.receive)
	mux.HandleFunc("POST /v1/metrics", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var in collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range in.ResourceSpans {
		service := attributes(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, Span{
					Service: service, Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId),
					Parent: hex.EncodeToString(s.ParentSpanId), Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano,
					Broken:     s.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR,
					Attributes: attributes(s.Attributes),
				})
			}
		}
	}
}

func attributes(in []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range in {
		out[a.Key] = a.Value.GetStringValue()
	}
	return out
}

// Trace returns the spans that have arrived in the trace.
func (r *Receiver) Trace(id string) []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.spans), func(s Span) bool { return s.Trace != id })
}

// Orphans returns the spans whose parent is neither among them nor known elsewhere.
func Orphans(spans []Span, elsewhere ...string) []Span {
	known := map[string]bool{"": true}
	for _, id := range elsewhere {
		known[id] = true
	}
	for _, s := range spans {
		known[s.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return known[s.Parent] })
}
