package notifier

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// asProgram makes the test binary run as the notifier, so that a test can kill it.
const asProgram = "NOTIFIER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		program.Main("notifier", "under test", Run)
	}
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for what should happen soon, on a machine busy with other tests.
const patience = 30 * time.Second

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newStore returns a store on a new database.
func newStore(t *testing.T) (s *store, databaseURL string) {
	t.Helper()
	databaseURL = servicestest.Postgres(t)
	return newStoreAt(t, databaseURL), databaseURL
}

func newStoreAt(t *testing.T, databaseURL string) *store {
	t.Helper()
	db, err := pgdb.Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := pgdb.Migrate(t.Context(), db.Pool, migrations); err != nil {
		t.Fatal(err)
	}
	return &store{db.Pool}
}

// newNotifier returns a notifier that uses the contacts.
func newNotifier(s *store, log *slog.Logger) *notifier {
	return &notifier{store: s, mails: true, recorded: func() {}, counters: newCounters(), log: log}
}

// sendAll sends until nothing is due.
func sendAll(t *testing.T, s *sender) {
	t.Helper()
	for {
		d, err := s.store.claim(t.Context(), s.timing.lease)
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			return
		}
		s.attempt(t.Context(), d)
	}
}

// setContact replaces the contacts by that of the user of all test events.
func setContact(t *testing.T, s *store, c contact) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), `DELETE FROM contacts`)
	if err == nil {
		_, err = s.pool.Exec(t.Context(), `INSERT INTO contacts VALUES (42, nullif($1, ''), nullif($2, ''), nullif($3, ''))`,
			c.Email, c.WebhookURL, c.WebhookSecret)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// state is the state of a delivery.
type state struct {
	Channel  channel
	Attempts int
	Sent     bool
	GivenUp  bool
	Error    string
}

func outbox(t *testing.T, s *store) []state {
	t.Helper()
	return query(t, s, pgx.RowToStructByPos[state], `
		SELECT channel, attempts, sent_at IS NOT NULL, given_up_at IS NOT NULL, last_error FROM outbox ORDER BY id`)
}

func query[T any](t *testing.T, s *store, row pgx.RowToFunc[T], sql string) []T {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, row)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dollars is an amount of US dollars, in cents.
func dollars(cents int64) money.Money { return money.Money{Amount: cents, Currency: "USD"} }

// event is the event of a finished order whose ID ends in n.
func event(n int, status order.Status) order.Event {
	o := order.Order{
		ID:        order.ID(fmt.Sprintf("0197a4b2-6c1e-7d3f-8a55-%012d", n)),
		UserID:    42,
		Status:    status,
		Items:     []order.Line{{ProductID: "cup", Name: "Espresso cup", Quantity: 2, Price: dollars(1299)}},
		Total:     dollars(2598),
		UpdatedAt: time.Date(2026, 11, 2, 9, 30, 15, 0, time.UTC),
	}
	if status != order.Confirmed {
		o.Cause = &order.Cause{Reason: order.PaymentDeclined, Message: "your card was declined"}
	}
	return order.NewEvent(o)
}

// messages are the events as the consumer gets them.
func messages(t *testing.T, events ...order.Event) []rabbitmq.Message {
	t.Helper()
	var batch []rabbitmq.Message
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, rabbitmq.Message{
			ID: e.MessageID(), Type: string(e.Type), CorrelationID: string(e.OrderID), Queue: string(e.Type), Attempt: 1, Body: body,
		})
	}
	return batch
}

func newBroker(t *testing.T) string { return servicestest.RabbitMQ(t) }

func newPublisher(t *testing.T, brokerURL string) *rabbitmq.Publisher {
	t.Helper()
	p, err := rabbitmq.NewPublisher(rabbitmq.Config{URL: brokerURL, Name: t.Name(), Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func publish(t *testing.T, p *rabbitmq.Publisher, e order.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Publish(ctx, e); err != nil {
		t.Fatal(err)
	}
}

// counts returns how many rows there are. With one address per user, both numbers are equal unless "once" is broken.
func (s *store) counts(ctx context.Context) (notifications, deliveries int, err error) {
	const query = `SELECT (SELECT count(*) FROM notifications), (SELECT count(*) FROM outbox)`
	err = s.pool.QueryRow(ctx, query).Scan(&notifications, &deliveries)
	return notifications, deliveries, err
}

func checkCounts(t *testing.T, s *store, want int) {
	t.Helper()
	notifications, deliveries, err := s.counts(t.Context())
	if err != nil || notifications != want || deliveries != want {
		t.Errorf("%d notifications and %d deliveries (%v), want %d of each", notifications, deliveries, err, want)
	}
}

// awaitNotifications waits until there are that many.
func awaitNotifications(t *testing.T, s *store, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d notifications", want), func() bool {
		notifications, _, err := s.counts(t.Context())
		return err == nil && notifications >= want
	})
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	servicestest.Eventually(t, patience, what, happened)
}

// get sends a request to the handler and returns status and body.
func get(t *testing.T, h http.Handler, target string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, strings.TrimSpace(string(body))
}

// queue returns how many messages of the queue are ready and how many a consumer holds, as the management API knows it.
func queue(t *testing.T, brokerURL, name string) (ready, held int) {
	t.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	var q struct {
		Ready int `json:"messages_ready"`
		Held  int `json:"messages_unacknowledged"`
	}
	servicestest.ManageRabbitMQ(t, http.MethodGet, "queues"+u.Path+"/"+name, "", &q)
	return q.Ready, q.Held
}

// startConsumer runs the program's consumer until the test ends or stop is called.
func startConsumer(t *testing.T, brokerURL string, n *notifier) (stop func()) {
	t.Helper()
	c, err := newConsumer(rabbitmq.Config{URL: brokerURL, Name: t.Name(), Log: discard()}, n, newPublisher(t, brokerURL), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
