package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"
)

// moment is a call of the saga that an order waits for while something happens.
type moment struct {
	name    string
	id      string
	release func() // lets the order's call go on
	locked  bool   // the order's row cannot be written before release
	either  bool   // the order may still be confirmed: the pivot or the fence may come first
}

// gated is a system with gates between the worker and the programs that it calls.
type gated struct {
	*system
	toCatalog, toGateway *gate
}

func newGatedSystem(t *testing.T) *gated {
	t.Helper()
	return newGatedSystemIn(t, client.DefaultNamespace)
}

// newGatedSystemIn is newGatedSystem in another Temporal namespace. settings change the worker's environment.
func newGatedSystemIn(t *testing.T, namespace string, settings ...string) *gated {
	t.Helper()
	t.Parallel()
	s := &gated{system: buildSystem(t, namespace, settings...)}
	s.toCatalog, s.toGateway = newGate(t, s.catalog.addr), newGate(t, s.stripesim.addr)
	s.worker.env = append(s.worker.env, "CATALOG_URL="+s.toCatalog.url(), "STRIPE_API_URL="+s.toGateway.url())
	s.start()
	return s
}

// call matches requests by method and the end of their path.
func call(method, path string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, path) }
}

// calls are the HTTP calls of an order's saga, last first.
func (s *gated) calls() []struct {
	name    string
	gate    *gate
	matches func(*http.Request) bool
} {
	return []struct {
		name    string
		gate    *gate
		matches func(*http.Request) bool
	}{
		{"CommitStock", s.toCatalog, call("POST", "/commit")},
		{"ChargePayment (confirm)", s.toGateway, call("POST", "/confirm")},
		{"ChargePayment (create)", s.toGateway, call("POST", "/payment_intents")},
		{"ReserveStock", s.toCatalog, func(r *http.Request) bool { return r.Method == "PUT" }},
		{"PriceItems", s.toCatalog, call("POST", "/prices")},
	}
}

// holdEverywhere places two orders for every outside call of the saga, and leaves them waiting for that call: one before it
// takes effect, and one after. It places orders that get further first, so that no other hold stops them.
func (s *gated) holdEverywhere() []moment {
	s.t.Helper()
	moments := []moment{s.holdEvent(), s.holdConfirmation()}
	for _, c := range s.calls() {
		if c.name == "PriceItems" {
			moments = append(moments, s.holdCreation())
		}
		for _, after := range []bool{true, false} {
			h := c.gate.hold(after, c.matches)
			m := moment{name: c.name + map[bool]string{true: ", after", false: ", before"}[after], release: h.release}
			m.either = c.name == "PriceItems" // after a while the last known price is good enough
			m.id = s.placeAsync(visa, lamp, 1)
			h.await(s.t)
			moments = append(moments, m)
		}
	}
	return moments
}

// holdEvent leaves an order waiting until the broker confirms its event.
func (s *gated) holdEvent() moment {
	s.t.Helper()
	published := s.toRabbitMQ.holdResponses("ORDER_CONFIRMED")
	id := s.placeAsync(visa, lamp, 1)
	eventually(s.t, "the event of order "+id+" is published", func(context.Context) bool { return closed(published) })
	return moment{name: "PublishEvent, after", id: id, release: s.toRabbitMQ.release, either: true}
}

// holdConfirmation leaves an order waiting for its row, locked by another transaction.
func (s *gated) holdConfirmation() moment {
	s.t.Helper()
	h := s.toCatalog.hold(true, call("POST", "/commit"))
	id := s.placeAsync(visa, lamp, 1)
	h.await(s.t)
	release := s.block(h.release, `SELECT FROM orders WHERE id = $1 FOR UPDATE`, id)
	return moment{name: "ConfirmOrder, before", id: id, release: release, locked: true, either: true}
}

// holdCreation leaves an order waiting for another transaction, which inserted the same row.
func (s *gated) holdCreation() moment {
	s.t.Helper()
	h := s.toCatalog.hold(true, call("POST", "/prices"))
	id := s.placeAsync(visa, lamp, 1)
	h.await(s.t)
	release := s.block(h.release, `
		INSERT INTO orders (id, user_id, status, payment_method, request_hash, total_amount, total_currency)
		VALUES ($1, 1, 'PENDING', '', '', 1, 'USD')`, id)
	return moment{name: "CreateOrder, before", id: id, release: release, locked: true, either: true}
}

// block runs a statement in a transaction that stays open, lets the order go on, and waits until the order waits for the
// transaction. release rolls the transaction back.
func (s *gated) block(goOn func(), statement, id string) (release func()) {
	s.t.Helper()
	holding, watching := s.orders(), s.orders()
	if _, err := holding.Exec(s.t.Context(), "BEGIN"); err != nil {
		s.t.Fatal(err)
	}
	if _, err := holding.Exec(s.t.Context(), statement, id); err != nil {
		s.t.Fatal(err)
	}
	goOn()
	eventually(s.t, "order "+id+" waits for its row", func(ctx context.Context) bool {
		var waiting int
		err := watching.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`,
			int32(holding.PgConn().PID())).Scan(&waiting)
		return err == nil && waiting > 0
	})
	return func() {
		if _, err := holding.Exec(s.t.Context(), "ROLLBACK"); err != nil {
			s.t.Errorf("let order %s go on: %v", id, err)
		}
	}
}

// orders connects to the orders' database, past the worker's proxy.
func (s *system) orders() *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.ordersURL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

// TestWhateverHappensAtAnyStepTheOrderEndsWellOnce does the same thing to orders at every outside call of the saga, while the
// call is under way. The call goes on afterwards, so that it takes effect late: when the saga unwinds, after its fence.
func TestWhateverHappensAtAnyStepTheOrderEndsWellOnce(t *testing.T) {
	const confirmed = "CONFIRMED "
	for _, tt := range []struct {
		name   string
		happen func(*gated, []moment)
		end    string // of orders before their pivot; the others are confirmed
	}{
		{"the worker is killed", func(s *gated, _ []moment) { s.worker.kill() }, confirmed},
		// A signal or a request to cancel makes the server discard the workflow task that is running.
		{"an operator signals retry", signalAll("retry"), confirmed},
		{"an operator signals compensate", signalAll("compensate"), "CANCELLED CANCELLED_BY_OPERATOR"},
		{"the workflow is cancelled", eachSaga(func(s *gated, workflow string) error {
			return s.temporal.CancelWorkflow(s.t.Context(), workflow, "")
		}), "CANCELLED CANCELLED_BY_OPERATOR"},
		{"the workflow is terminated", eachSaga(func(s *gated, workflow string) error {
			return s.temporal.TerminateWorkflow(s.t.Context(), workflow, "", "an operator's mistake")
		}), "FAILED INTERRUPTED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newGatedSystem(t)
			moments := s.holdEverywhere()
			tt.happen(s, moments)
			if tt.end != confirmed {
				s.decided(moments)
			}
			var ids []string
			for _, m := range moments {
				m.release()
				ids = append(ids, m.id)
			}
			if s.worker.done == nil {
				s.worker.start()
			}
			orders := s.keepsPromises(ids...)
			for _, m := range moments {
				o := orders[m.id]
				if end := string(o.Status) + " " + o.Reason; end != tt.end && !(m.either && end == confirmed) {
					t.Errorf("%s: order %s ended %s, want %s", m.name, m.id, end, tt.end)
				}
			}
		})
	}
}

func signalAll(name string) func(*gated, []moment) {
	return eachSaga(func(s *gated, workflow string) error {
		return s.temporal.SignalWorkflow(s.t.Context(), workflow, "", name, command(""))
	})
}

func eachSaga(happen func(s *gated, workflow string) error) func(*gated, []moment) {
	return func(s *gated, all []moment) {
		for _, m := range all {
			if err := happen(s, workflowID(m.id)); err != nil {
				s.t.Fatalf("%s: %v", m.name, err)
			}
		}
	}
}

// decided waits until the end of every order is decided, except for orders with a locked row.
func (s *gated) decided(moments []moment) {
	s.t.Helper()
	for _, m := range moments {
		if !m.locked {
			eventually(s.t, "the end of order "+m.id+" is decided ("+m.name+")", func(context.Context) bool {
				timeline := s.timeline(m.id)
				return slices.Contains(timeline, "CLOSING") || slices.Contains(timeline, "CONFIRMED")
			})
		}
	}
}
