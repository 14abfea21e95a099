package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString("goroutines are left: " + err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for what should happen soon, on a machine busy with other tests.
const patience = 30 * time.Second

// testConfig returns the configuration for a new virtual host, with short retry tiers.
func testConfig(t *testing.T) Config {
	t.Helper()
	return Config{
		URL:        servicestest.RabbitMQ(t),
		Name:       t.Name(),
		Topology:   testTopology(),
		Log:        slog.New(slog.NewTextHandler(logs{t}, nil)),
		MaxBackoff: 200 * time.Millisecond,
	}
}

// logs shows the log with the test that wrote it.
type logs struct{ t *testing.T }

func (l logs) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func startPublisher(t *testing.T, config Config) *Publisher {
	t.Helper()
	p, err := NewPublisher(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// startConsumer runs a consumer of ORDER_CONFIRMED, message by message, until the test ends or stop is called, which returns
// Run's error.
func startConsumer(t *testing.T, config Config, handle func(context.Context, Message) error) (stop func() error) {
	t.Helper()
	return startBatchConsumer(t, config, func(ctx context.Context, batch []Message) error {
		for _, m := range batch {
			if err := handle(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func startBatchConsumer(t *testing.T, config Config, handle Handler) (stop func() error) {
	t.Helper()
	c, err := NewConsumer(ConsumerConfig{Config: config, Queues: []string{QueueConfirmed}, Handle: handle}, startPublisher(t, config))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return receive(t, "the consumer's end", ended)
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// confirmed is the event of a realistic order, whose ID ends in n.
func confirmed(n int) order.Event {
	return order.NewEvent(order.Order{
		ID:     order.ID(fmt.Sprintf("0197a4b2-6c1e-7d3f-8a55-%012d", n)),
		UserID: 42,
		Status: order.Confirmed,
		Items: []order.Line{
			{ProductID: "espresso-cup", Name: "Espresso cup", Quantity: 2, Price: money.Money{Amount: 1299, Currency: "USD"}},
			{ProductID: "tamper", Name: "Tamper, 58 mm", Quantity: 1, Price: money.Money{Amount: 3950, Currency: "USD"}},
		},
		Total:     money.Money{Amount: 6548, Currency: "USD"},
		UpdatedAt: time.Date(2026, 11, 2, 9, 30, 15, 250_000_000, time.UTC),
	})
}

func publish(t *testing.T, p *Publisher, e order.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Publish(ctx, e); err != nil {
		t.Fatal(err)
	}
}

// persist publishes the event until it is confirmed, as the saga does. It gives up only when ctx is done.
func persist(ctx context.Context, p *Publisher, e order.Event) error {
	for {
		err := p.Publish(ctx, e)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// publishAtLast is persist with a timeout.
func publishAtLast(t *testing.T, p *Publisher, e order.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	if err := persist(ctx, p, e); err != nil {
		t.Fatal(err)
	}
}

// areEmpty checks that no queue holds a message.
func areEmpty(t *testing.T, url string, queues ...string) {
	t.Helper()
	ch := rabbitmqtest.Channel(t, url)
	for _, queue := range queues {
		if n := count(t, ch, queue); n != 0 {
			t.Errorf("%d messages in %s", n, queue)
		}
	}
}

// take waits for a message in the queue, and removes it.
func take(t *testing.T, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	var d amqp.Delivery
	eventually(t, "a message in "+queue, func() bool {
		var ok bool
		var err error
		if d, ok, err = ch.Get(queue, true); err != nil {
			t.Fatal(err)
		}
		return ok
	})
	return d
}

// count returns how many messages the queue has ready.
func count(t *testing.T, ch *amqp.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

// receive waits for a value on the channel.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * patience):
		t.Fatalf("waited %s for %s", 2*patience, what)
		panic("unreachable")
	}
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	servicestest.Eventually(t, patience, what, happened)
}

// closeConnections makes the broker close every connection of the test's virtual host, as an operator can. It waits for at
// least one: the management API lists a connection only some seconds after it was opened.
func closeConnections(ctx context.Context, brokerURL string) error {
	u, err := url.Parse(brokerURL)
	if err != nil {
		return err
	}
	api := os.Getenv(servicestest.RabbitMQAPI) + "/api/"
	for closed := 0; closed == 0; {
		var connections []struct{ Name string }
		if err := call(ctx, http.MethodGet, api+"vhosts"+u.Path+"/connections", &connections); err != nil {
			return err
		}
		for _, c := range connections {
			if call(ctx, http.MethodDelete, api+"connections/"+url.PathEscape(c.Name), nil) == nil {
				closed++
			}
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func call(ctx context.Context, method, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return errors.New(res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}
