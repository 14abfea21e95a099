package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/tools/costsheet"
)

// budget says what one order may cost, in numbers that do not depend on the machine.
type budget map[string]float64

// confirmedBudget is for an order that nothing disturbs.
var confirmedBudget = budget{
	costsheet.TemporalCalls:   2,  // start the workflow, whose first task comes back with it; complete that task
	costsheet.WorkflowTasks:   1,  // all steps are local activities
	costsheet.HistoryEvents:   12, // the start, 3 for the task, a marker for each of the 7 steps, the end
	costsheet.RoundTrips:      2,  // create the order; confirm it
	costsheet.Statements:      4,  // each of them, and read the row
	costsheet.CatalogCalls:    3,  // price, reserve, commit
	costsheet.GatewayCalls:    2,  // create the payment, confirm it
	costsheet.StoreOperations: 5,  // read the price; insert the reservation, take the units, settle it; commit it
	costsheet.Publishes:       1,  // ORDER_CONFIRMED
}

// declinedBudget is for an order whose card is declined after its stock was reserved.
var declinedBudget = budget{
	costsheet.TemporalCalls:   2,  // as above
	costsheet.WorkflowTasks:   1,  // a refused order stays on the fast path to its end
	costsheet.HistoryEvents:   14, // 2 more markers: 4 steps, the fence, 2 undos, the order's end, the event
	costsheet.RoundTrips:      3,  // create the order; fence it; finish it
	costsheet.Statements:      6,  // each of them, and read the row
	costsheet.CatalogCalls:    3,  // price, reserve, release
	costsheet.GatewayCalls:    4,  // create the payment, confirm it; learn its ID again, cancel it
	costsheet.StoreOperations: 9,  // price and reserve are 4; read product and reservation, mark it, give back, settle it
	costsheet.Publishes:       1,  // ORDER_CANCELLED
}

// When this test fails, an order has become more expensive (or nothing was counted): find out why. Lower a
// budget when an order becomes cheaper.
func TestAnOrderStaysWithinItsBudget(t *testing.T) {
	t.Parallel()
	s := buildSystem(t, client.DefaultNamespace)
	m := &costsheet.Meter{}
	t.Cleanup(func() { _ = m.Close() })
	s.inOneProcess(m)
	s.start()
	for _, tt := range []struct {
		name, method string
		status       int
		most         budget
	}{
		{"an undisturbed order", visa, 201, confirmedBudget},
		{"a declined order", declined, 400, declinedBudget},
	} {
		cost := s.cheapest(m, tt.method, tt.status)
		for what, most := range tt.most {
			if got := cost[what]; got == 0 || got > most {
				t.Errorf("%s costs %g %s, budget %g%s", tt.name, got, what, most, details(cost, what))
			}
		}
	}
}

// cheapest places orders one after the other, and returns the least that one of them cost, row by row. The first orders
// open connections and fill caches, and some share a moment with work that is not theirs.
func (s *system) cheapest(m *costsheet.Meter, method string, status int) costsheet.Counts {
	s.t.Helper()
	const orders = 20
	cheapest := costsheet.Counts{}
	for range orders {
		before := m.Read()
		a := s.place(method, lamp, 1)
		if a.status != status {
			s.t.Fatalf("got %d %s, want %d", a.status, a.body, status)
		}
		history, err := costsheet.History(s.t.Context(), s.temporal, order.ID(a.orderID()).WorkflowID())
		if err != nil {
			s.t.Fatal(err)
		}
		cost := m.Read().Since(before)
		maps.Copy(cost, history)
		for what, n := range cost {
			if least, ok := cheapest[what]; !ok || n < least {
				cheapest[what] = n
			}
		}
	}
	return cheapest
}

// inOneProcess runs the api and the worker in one process, and lets the meter count what it and the catalog call.
func (s *system) inOneProcess(m *costsheet.Meter) {
	s.t.Helper()
	both := newProcess(s.t, "orders", s.api.addr, append(s.worker.env, s.api.env...)...)
	s.worker, s.api = both, both
	const rarely = "1h"
	both.env = append(both.env, "RECOVERY_INTERVAL="+rarely)
	s.catalog.env = append(s.catalog.env, "CATALOG_SWEEP_INTERVAL="+rarely)
	s.meter(both, "TEMPORAL_ADDRESS", m.Temporal)
	s.meter(both, "DATABASE_URL", m.PostgreSQL)
	s.meter(both, "RABBITMQ_URL", m.RabbitMQ)
	s.meter(both, "CATALOG_URL", func(base string) (string, error) { return m.HTTP(base, costsheet.CatalogCalls) })
	s.meter(both, "STRIPE_API_URL", func(base string) (string, error) { return m.HTTP(base, costsheet.GatewayCalls) })
	s.meter(s.catalog, "MONGODB_URI", m.MongoDB)
}

// meter puts a proxy before what a variable of the program names.
func (s *system) meter(p *process, variable string, proxy func(string) (string, error)) {
	s.t.Helper()
	var address string
	for _, v := range p.env {
		if name, value, _ := strings.Cut(v, "="); name == variable {
			address = value // the last one holds
		}
	}
	address, err := proxy(address)
	if err != nil {
		s.t.Fatalf("%s: %v", variable, err)
	}
	p.env = append(p.env, variable+"="+address)
}

// details lists what a row consists of.
func details(cost costsheet.Counts, row string) string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(cost)) {
		if strings.HasPrefix(what, row+": ") {
			fmt.Fprintf(&b, "\n  %g %s", cost[what], what)
		}
	}
	return b.String()
}
