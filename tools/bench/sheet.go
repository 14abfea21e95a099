package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.temporal.io/api/enums/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // the SDK may compress
	"google.golang.org/grpc/metadata"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// A cost sheet counts what an order costs, which does not depend on the machine. Calls are counted by proxies between the
// programs and what they call, SQL by PostgreSQL (pg_stat_statements), messages by a queue that gets a copy of each.

// counters are the sources of a cost sheet.
type counters struct {
	mu     sync.Mutex
	calls  counts
	db     *pgx.Conn
	events *amqp.Channel
	queue  string
}

// counts are numbers by what was counted.
type counts map[string]float64

func (c *counters) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[what]++
}

// count puts proxies before Temporal, the catalog and the gateway, and switches the other counters on.
func (s *stack) count(ctx context.Context) (err error) {
	c := &counters{calls: counts{}}
	s.counters = c
	if s.c.Temporal.Address, err = s.temporalProxy(s.c.Temporal.Address); err != nil {
		return err
	}
	for what, base := range map[string]*string{"HTTP calls to the catalog": &s.c.Catalog, "HTTP calls to the gateway": &s.c.StripeURL} {
		if *base, err = s.httpProxy(*base, what); err != nil {
			return err
		}
	}
	if c.db, err = pgx.Connect(ctx, s.c.SuperuserURL); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	s.atClose(func() error { return c.db.Close(context.WithoutCancel(ctx)) })
	for _, statement := range []string{
		"CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "SELECT pg_stat_statements_reset()",
	} {
		if _, err := c.db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("count SQL: %w", err)
		}
	}
	conn, err := amqp.Dial(s.c.RabbitMQURL)
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	s.atClose(conn.Close)
	if c.events, err = conn.Channel(); err != nil {
		return err
	}
	q, err := c.events.QueueDeclare("", false, true, true, false, nil) // the broker names it; it goes with our connection
	if err != nil {
		return err
	}
	c.queue = q.Name
	return c.events.QueueBind(q.Name, "#", rabbitmq.Exchange, false, nil)
}

func (s *stack) listen(serve func(net.Listener) error) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = serve(l) }() // until the listener is closed
	return l.Addr().String(), nil
}

func (s *stack) httpProxy(base, what string) (string, error) {
	target, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
	server := &http.Server{ReadHeaderTimeout: callTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.counters.add(what)
		proxy.ServeHTTP(w, r)
	})}
	s.atClose(server.Close)
	address, err := s.listen(server.Serve)
	return "http://" + address, err
}

// temporalProxy forwards any unary gRPC call as it is.
func (s *stack) temporalProxy(target string) (string, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	s.atClose(conn.Close)
	server := grpc.NewServer(grpc.ForceServerCodec(asItIs{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var in, out []byte
		method, _ := grpc.MethodFromServerStream(stream)
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		if name := path.Base(method); !strings.HasPrefix(name, "Poll") {
			s.counters.add("calls to Temporal")
			s.counters.add("  " + name)
		}
		headers, _ := metadata.FromIncomingContext(stream.Context())
		ctx := metadata.NewOutgoingContext(stream.Context(), headers)
		if err := conn.Invoke(ctx, method, &in, &out, grpc.ForceCodec(asItIs{})); err != nil {
			return err
		}
		return stream.SendMsg(&out)
	}))
	s.atClose(func() error { server.Stop(); return nil })
	return s.listen(server.Serve)
}

// asItIs is a codec of messages that stay encoded.
type asItIs struct{}

func (asItIs) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (asItIs) Unmarshal(data []byte, v any) error { *v.(*[]byte) = slices.Clone(data); return nil }
func (asItIs) Name() string                       { return "proto" }

// statements sums up what pg_stat_statements counted, without our own. FerretDB sends one statement per operation.
const statements = `SELECT datname, sum(calls), sum(wal_bytes), sum(calls) FILTER (WHERE query ~ 'documentdb_api')
	FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
	WHERE query !~ 'pg_stat_statements' GROUP BY datname`

// read returns what was counted so far.
func (c *counters) read(ctx context.Context) (counts, error) {
	c.mu.Lock()
	now := maps.Clone(c.calls)
	c.mu.Unlock()
	q, err := c.events.QueueDeclarePassive(c.queue, false, true, true, false, nil)
	if err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	now["published messages"] = float64(q.Messages)
	var wal float64
	if err := c.db.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8").Scan(&wal); err != nil {
		return nil, fmt.Errorf("count WAL: %w", err)
	}
	now["WAL bytes"] = wal
	rows, err := c.db.Query(ctx, statements)
	if err != nil {
		return nil, fmt.Errorf("count SQL: %w", err)
	}
	var database string
	var calls, walBytes float64
	var operations *float64
	_, err = pgx.ForEachRow(rows, []any{&database, &calls, &walBytes, &operations}, func() error {
		if operations != nil {
			now["store operations of the catalog"] += *operations
		} else if database != "documentdb" && database != "postgres" {
			now["SQL statements: "+database] += calls
		}
		now["WAL bytes: "+database] += walBytes
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count SQL: %w", err)
	}
	return now, nil
}

// atRest is how long after the last response everything that an order sets in motion has ended.
const atRest = 3 * time.Second

// costSheet lets one client place orders in each mode, and prints what one cost.
func (s *stack) costSheet(ctx context.Context, w io.Writer) error {
	all, err := s.modes(ctx)
	if err != nil {
		return err
	}
	sheet := map[string]counts{}
	for _, m := range all {
		s.say("counting  %s", m.name)
		if sheet[m.name], err = s.costs(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	printSheet(w, all, sheet)
	return writeJSON(s.o.json, sheet, s.say)
}

func (s *stack) costs(ctx context.Context, m *measured) (counts, error) {
	if _, err := closedLoop(ctx, m.place, 1, func(placed int) bool { return placed < 5 }); err != nil { // to warm up
		return nil, err
	}
	if err := pause(ctx, atRest); err != nil {
		return nil, err
	}
	before, err := s.counters.read(ctx)
	if err != nil {
		return nil, err
	}
	seg, err := closedLoop(ctx, m.place, 1, func(placed int) bool { return placed < s.o.sheet })
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, atRest); err != nil {
		return nil, err
	}
	cost, err := s.counters.read(ctx)
	if err != nil {
		return nil, err
	}
	for what := range cost {
		cost[what] = (cost[what] - before[what]) / float64(s.o.sheet)
	}
	cost["history events"], cost["history bytes"], err = s.histories(ctx, seg.sample)
	return cost, err
}

// histories returns the average length of some workflows' histories, once each has ended.
func (s *stack) histories(ctx context.Context, ids []string) (events, bytes float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, id := range ids {
		for last := s.temporal.SDK.GetWorkflowHistory(ctx, id, "", true, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT); last.HasNext(); {
			if _, err := last.Next(); err != nil {
				return 0, 0, fmt.Errorf("wait for the end of %s: %w", id, err)
			}
		}
		described, err := s.temporal.SDK.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return 0, 0, fmt.Errorf("describe %s: %w", id, err)
		}
		events += float64(described.WorkflowExecutionInfo.HistoryLength) / float64(len(ids))
		bytes += float64(described.WorkflowExecutionInfo.HistorySizeBytes) / float64(len(ids))
	}
	return events, bytes, nil
}

func printSheet(w io.Writer, all []*measured, sheet map[string]counts) {
	rows := map[string]bool{}
	for _, c := range sheet {
		for what, n := range c {
			rows[what] = rows[what] || n >= 0.05
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\nCost of one order\t")
	for _, m := range all {
		fmt.Fprintf(t, "%s\t", m.name)
	}
	fmt.Fprintln(t)
	sorted := slices.SortedFunc(maps.Keys(rows), func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) })
	for _, what := range sorted {
		if !rows[what] {
			continue
		}
		fmt.Fprintf(t, "%s\t", what)
		for _, m := range all {
			fmt.Fprintf(t, "%s\t", strings.TrimSuffix(fmt.Sprintf("%.1f", sheet[m.name][what]), ".0"))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// sortKey keeps the names of calls, which are indented, below "calls to Temporal".
func sortKey(what string) string {
	if strings.HasPrefix(what, " ") {
		return "calls to Temporal" + what
	}
	return what
}
