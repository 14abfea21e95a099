// Package costsheet counts what an order costs in calls, statements, messages and history events. These numbers do not
// depend on the machine. `bench --sheet` prints them, and the budget test in e2e fails when one grows.
//
// A Meter stands between the programs and what they call: each of its methods starts a proxy and returns the address to
// give to a program instead.
package costsheet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // the SDK may compress
	"google.golang.org/grpc/metadata"
)

// What is counted. Most rows have details, whose names begin with the row's name and a colon.
const (
	TemporalCalls   = "calls to Temporal" // without polling
	CatalogCalls    = "HTTP calls to the catalog"
	GatewayCalls    = "HTTP calls to the gateway"
	Statements      = "SQL statements" // on the orders' database, without polling
	RoundTrips      = "SQL round trips"
	StoreOperations = "store operations of the catalog"
	Publishes       = "published messages"
	HistoryEvents   = "history events"
	HistoryBytes    = "history bytes"
	WorkflowTasks   = "workflow tasks"
)

// Counts are numbers by what was counted.
type Counts map[string]float64

// Since returns what was counted after an earlier reading.
func (c Counts) Since(before Counts) Counts {
	since := Counts{}
	for what, n := range c {
		if n -= before[what]; n > 0 {
			since[what] = n
		}
	}
	return since
}

// Meter counts what passes its proxies. Its zero value is ready to use.
type Meter struct {
	mu      sync.Mutex
	counts  Counts
	closers []func() error
}

// Read returns what was counted so far.
func (m *Meter) Read() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Counts{}
	maps.Copy(now, m.counts)
	return now
}

// Close stops the proxies.
func (m *Meter) Close() error {
	m.mu.Lock()
	closers := m.closers
	m.closers = nil
	m.mu.Unlock()
	var problems []error
	for _, f := range slices.Backward(closers) {
		problems = append(problems, f())
	}
	return errors.Join(problems...)
}

func (m *Meter) atClose(f func() error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closers = append(m.closers, f)
}

// add counts one, for a row and for one of its details.
func (m *Meter) add(row, detail string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil {
		m.counts = Counts{}
	}
	m.counts[row]++
	if detail != "" {
		m.counts[row+": "+detail]++
	}
}

func listen(serve func(net.Listener) error) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = serve(l) }() // until the listener is closed
	return l.Addr().String(), nil
}

// HTTP counts requests to the server at base, in the given row.
func (m *Meter) HTTP(base, row string) (string, error) {
	target, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.add(row, "")
		proxy.ServeHTTP(w, r)
	})}
	m.atClose(server.Close)
	address, err := listen(server.Serve)
	return "http://" + address, err
}

// Temporal counts calls to the Temporal server at target, except polls for tasks. It forwards any unary gRPC call unchanged.
func (m *Meter) Temporal(target string) (string, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	m.atClose(conn.Close)
	forward := func(_ any, stream grpc.ServerStream) error {
		var in, out []byte
		method, _ := grpc.MethodFromServerStream(stream)
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		if name := path.Base(method); !strings.HasPrefix(name, "Poll") {
			m.add(TemporalCalls, name)
		}
		headers, _ := metadata.FromIncomingContext(stream.Context())
		ctx := metadata.NewOutgoingContext(stream.Context(), headers)
		if err := conn.Invoke(ctx, method, &in, &out, grpc.ForceCodec(unchanged{})); err != nil {
			return err
		}
		return stream.SendMsg(&out)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(unchanged{}), grpc.UnknownServiceHandler(forward))
	m.atClose(func() error { server.Stop(); return nil })
	return listen(server.Serve)
}

// unchanged is a codec of messages that stay encoded.
type unchanged struct{}

func (unchanged) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (unchanged) Unmarshal(data []byte, v any) error { *v.(*[]byte) = slices.Clone(data); return nil }
func (unchanged) Name() string                       { return "proto" }

// History waits until a workflow has ended, and returns the size of its history.
func History(ctx context.Context, temporal client.Client, workflowID string) (Counts, error) {
	c := Counts{}
	for all := temporal.GetWorkflowHistory(ctx, workflowID, "", true, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
		event, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", workflowID, err)
		}
		c[HistoryEvents]++
		if event.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			c[WorkflowTasks]++
		}
	}
	described, err := temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	c[HistoryBytes] = float64(described.WorkflowExecutionInfo.HistorySizeBytes)
	return c, nil
}
