package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/telemetry/telemetrytest"
)

// traceOfClient is a trace that a client has begun.
type traceOfClient struct{ id, span string }

func newTrace() traceOfClient {
	var id [16]byte
	var span [8]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(span[:])
	return traceOfClient{hex.EncodeToString(id[:]), hex.EncodeToString(span[:])}
}

func (c traceOfClient) header() string { return "traceparent: 00-" + c.id + "-" + c.span + "-01" }

// newTracedSystem is a system whose programs send their traces to the receiver.
func newTracedSystem(t *testing.T, settings ...string) (*gated, *telemetrytest.Receiver) {
	t.Helper()
	t.Parallel()
	receiver := telemetrytest.NewReceiver(t)
	s := &gated{system: buildSystem(t, "default", settings...)}
	s.toCatalog, s.toGateway = newGate(t, s.catalog.addr), newGate(t, s.stripesim.addr)
	s.worker.env = append(s.worker.env, "CATALOG_URL="+s.toCatalog.url(), "STRIPE_API_URL="+s.toGateway.url())
	for _, p := range []*process{s.api, s.worker, s.catalog, s.stripesim, s.notifier} {
		p.env = append(p.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_BSP_SCHEDULE_DELAY=100")
	}
	s.start()
	return s, receiver
}

// delivered waits until the customer was told, and returns the trace.
func delivered(t *testing.T, receiver *telemetrytest.Receiver, c traceOfClient) []telemetrytest.Span {
	t.Helper()
	has := func(service, name string) bool {
		return slices.ContainsFunc(receiver.Trace(c.id), func(s telemetrytest.Span) bool {
			return s.Service == service && s.Name == name
		})
	}
	eventually(t, "the customer is told, in the client's trace", func(context.Context) bool {
		return has("notifier", "deliver log") && has("api", "POST /orders") && has("worker", "publish ORDER_CONFIRMED")
	})
	return receiver.Trace(c.id)
}

func TestOneTraceLeadsFromTheClientToTheNotifier(t *testing.T) {
	s, receiver := newTracedSystem(t)
	c := newTrace()
	a := s.place(visa, lamp, 1, c.header())
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	spans := delivered(t, receiver, c)
	noOrphans(t, spans, c)
	want := []string{
		"api POST /orders", "api start CreateOrder",
		"worker CreateOrder", "worker schedule PriceItems", "worker PriceItems", "worker POST catalog", "worker ChargePayment",
		"worker POST gateway", "worker ConfirmOrder", "worker publish ORDER_CONFIRMED",
		"catalog POST /prices", "catalog PUT /reservations/:orderId", "stripesim POST /v1/payment_intents",
		"notifier process ORDER_CONFIRMED", "notifier deliver log",
	}
	var got []string
	sql, mongo := false, false
	for _, span := range spans {
		got = append(got, span.Service+" "+span.Name)
		sql = sql || span.Attributes["db.system.name"] == "postgresql"
		mongo = mongo || span.Attributes["db.system.name"] == "mongodb"
		private(t, span)
		if span.Broken {
			t.Errorf("%s %s is marked as broken", span.Service, span.Name)
		}
		if span.End < span.Start {
			t.Errorf("%s %s ends before it begins", span.Service, span.Name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("no span %q in:\n%s", name, strings.Join(got, "\n"))
		}
	}
	if !sql || !mongo {
		t.Errorf("spans of PostgreSQL: %t, of MongoDB: %t", sql, mongo)
	}
	s.keepsPromises(a.orderID())
}

// TestAKilledWorkerLeavesNoOrphans kills the worker while calls of a step are under way, and have reached other programs: in
// the first attempt of an order, and in a retry.
func TestAKilledWorkerLeavesNoOrphans(t *testing.T) {
	for name, settings := range map[string][]string{"fast path": nil, "regular activities": {"FAST_PATH=false"}} {
		t.Run(name, func(t *testing.T) {
			s, receiver := newTracedSystem(t, settings...)
			c := newTrace()
			charging := s.toGateway.hold(true, call("POST", "/confirm"))
			id := s.do("POST", "http://"+s.api.addr+"/orders", newOrder(visa, lamp, 1), "Prefer: respond-async", c.header()).orderID()
			charging.await(t)
			eventually(t, "the gateway's span of the attempt has arrived", func(context.Context) bool {
				return slices.ContainsFunc(receiver.Trace(c.id), func(s telemetrytest.Span) bool { return s.Service == "stripesim" })
			})
			s.worker.kill()
			charging.release()
			s.worker.start()
			noOrphans(t, delivered(t, receiver, c), c)
			s.keepsPromises(id)
		})
	}
}

func noOrphans(t *testing.T, spans []telemetrytest.Span, c traceOfClient) {
	t.Helper()
	for _, orphan := range telemetrytest.Orphans(spans, c.span) {
		t.Errorf("%s %s has the unknown parent %s", orphan.Service, orphan.Name, orphan.Parent)
	}
}

// private checks that a span says nothing about the customer, and holds no secret.
func private(t *testing.T, span telemetrytest.Span) {
	t.Helper()
	for name, value := range span.Attributes {
		text := fmt.Sprintf("%s=%s", name, value)
		for _, secret := range []string{"client.address", "user_agent", "network.peer", apiKey, "_secret_", visa} {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s: %s", span.Service, span.Name, text)
			}
		}
	}
}
