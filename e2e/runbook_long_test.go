//go:build long

package e2e

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// operator is a system with a namespace of its own, and the runbook.
type operator struct {
	*gated
	book *reader
}

// TestRunbook runs every command of docs/runbook.md on sagas that need attention, and checks that each does what the book
// says.
func TestRunbook(t *testing.T) {
	namespace := servicestest.Name("runbook")
	address, _ := servicestest.Temporal(t)
	newReader(t, "../docs/deploying.md", "TEMPORAL_NAMESPACE="+namespace, "TEMPORAL_ADDRESS="+address).run("namespace")
	s := newGatedSystemIn(t, namespace)
	o := &operator{gated: s, book: newReader(t, "../docs/runbook.md", s.toolEnv()...)}
	defer o.book.finish()
	o.book.run("environment")
	o.signals()
	o.batches()
	o.cancels()
	o.terminates()
	o.resets()
	o.deadLetters()
	o.checksPayments()
	o.checksStock()
}

// toolEnv is the environment of the operators' tools.
func (s *system) toolEnv() []string {
	env := []string{
		"TEMPORAL_ADDRESS=" + s.temporalAddress, "TEMPORAL_NAMESPACE=" + s.namespace,
		"TEMPORAL_CLI_ADDRESS=" + s.temporalAddress, "TEMPORAL_CLI_NAMESPACE=" + s.namespace,
		"API_URL=http://" + s.api.addr, "TASK_QUEUE=" + s.queue, "DATABASE_URL=" + s.ordersURL,
	}
	for _, from := range []*process{s.worker, s.catalog} {
		for _, e := range from.env {
			for _, name := range []string{"STRIPE_API_URL=", "STRIPE_API_KEY=", "RABBITMQ_URL=", "MONGODB_"} {
				if strings.HasPrefix(e, name) {
					env = append(env, e)
				}
			}
		}
	}
	return env
}

// stuck places orders while the gateway rejects the API key.
func (o *operator) stuck(n int) []string {
	o.t.Helper()
	o.gatewayKey("sk_test_another")
	var ids []string
	for range n {
		ids = append(ids, o.placeAsync(visa, lamp, 1))
	}
	for _, id := range ids {
		o.needsAttention(id, "ChargePayment")
		o.sagaStatus(id, "NEEDS_ATTENTION")
	}
	return ids
}

func (o *operator) signals() {
	ids := o.stuck(6)
	of := func(id string) string { return "ORDER=" + id }
	o.book.tells("list", o.book.run("list"), workflowID(ids[0]), workflowID(ids[5]))
	o.book.tells("list-tctl", o.book.run("list-tctl"), workflowID(ids[0]), workflowID(ids[5]))
	o.book.tells("count", o.book.run("count"), "6")
	o.book.tells("details", o.book.run("details", of(ids[0])), "ChargePayment", "API key", "compensate")
	o.book.tells("pending", o.book.run("pending", of(ids[0])), "Pending Activities", "NEEDS_ATTENTION", "executionConfig")
	o.book.tells("timeline", o.book.run("timeline", of(ids[0])), "CREATED", "PENDING")

	o.book.run("compensate", of(ids[2]))
	o.book.run("compensate-tctl", of(ids[3]))
	for _, id := range ids[2:4] {
		o.needsAttention(id, "RefundPayment")
	}
	o.book.run("skip", of(ids[2]))
	o.book.run("skip-tctl", of(ids[3]))
	for _, id := range ids[2:4] {
		wantEnd(o.t, o.finished(id), "CANCELLED", "CANCELLED_BY_OPERATOR")
		o.closed(id)
		if told := o.told(id); !slices.Contains(told, "SKIPPED RefundPayment") {
			o.t.Errorf("the timeline is %q", told)
		}
	}
	o.gatewayKey(apiKey)
	o.book.run("retry", of(ids[0]))
	o.book.run("retry-tctl", of(ids[1]))
	wantEnd(o.t, o.finished(ids[0]), "CONFIRMED", "")
	wantEnd(o.t, o.finished(ids[1]), "CONFIRMED", "")
	if told := o.told(ids[0]); !slices.Contains(told, "COMMAND retry by alice: ticket 7: the key is right again") {
		o.t.Errorf("the timeline is %q", told)
	}
	o.book.run("loop")
	for _, id := range ids[4:] {
		wantEnd(o.t, o.finished(id), "CONFIRMED", "")
	}
}

func (o *operator) batches() {
	ids := o.stuck(2)
	o.gatewayKey(apiKey)
	o.book.run("batch")
	for _, id := range ids {
		wantEnd(o.t, o.finished(id), "CONFIRMED", "")
		if told := o.told(id); !slices.Contains(told, "COMMAND retry by alice: ticket 7") {
			o.t.Errorf("the timeline of order %s is %q", id, told)
		}
	}
}

func (o *operator) cancels() {
	ids := o.stuck(3)
	o.book.tells("cancel", o.book.run("cancel", "ORDER="+ids[0]), ids[0])
	o.book.run("cancel-temporal", "ORDER="+ids[1])
	o.book.run("cancel-tctl", "ORDER="+ids[2])
	for _, id := range ids {
		o.needsAttention(id, "RefundPayment")
	}
	o.gatewayKey(apiKey)
	o.book.run("loop") // the gateway accepts the key again: do not wait for the next attempt
	wantEnd(o.t, o.finished(ids[0]), "CANCELLED", "CANCELLED_BY_USER")
	wantEnd(o.t, o.finished(ids[1]), "CANCELLED", "CANCELLED_BY_OPERATOR")
	wantEnd(o.t, o.finished(ids[2]), "CANCELLED", "CANCELLED_BY_OPERATOR")
	if told := o.told(ids[0]); !slices.Contains(told, "COMMAND cancel asked by user: ticket 7") {
		o.t.Errorf("the timeline is %q", told)
	}
}

func (o *operator) terminates() {
	ids := o.stuck(2)
	o.gatewayKey(apiKey)
	o.book.run("terminate", "ORDER="+ids[0])
	o.book.run("terminate-tctl", "ORDER="+ids[1])
	o.book.tells("recover", o.book.run("recover"), "RecoverOrders")
	for _, id := range ids {
		wantEnd(o.t, o.finished(id), "FAILED", "INTERRUPTED")
		o.book.tells("recovered", o.book.run("recovered", "ORDER="+id), "COMPLETED", "INTERRUPTED")
	}
}

func (o *operator) resets() {
	id := o.place(visa, lamp, 1).orderID()
	of := "ORDER=" + id
	o.closed(id)
	before := o.run(id)
	o.book.tells("history", o.book.run("history", of), "WorkflowTaskCompleted")
	for i, reset := range []func() string{
		func() string { return o.book.run("reset", of) },
		func() string { return o.book.run("reset-last", of) },
		func() string { return o.book.run("reset-tctl", of) },
		func() string {
			return o.book.run("reset-event", of, "EVENT="+strconv.FormatInt(o.resetPoints(id, "")[0], 10))
		},
	} {
		out := reset()
		o.closed(id)
		if run := o.run(id); run == before {
			o.t.Errorf("reset %d started no new run: %s", i, out)
		} else {
			before = run
		}
		after := o.order(id)
		wantEnd(o.t, after, "CONFIRMED", "")
		o.paidOnce(after)
	}
}

func (o *operator) deadLetters() {
	rubbish := func() string {
		id := uuid.NewString()
		o.publish("ORDER_CONFIRMED", id)
		eventually(o.t, "the message is a dead letter", func(context.Context) bool {
			out, _ := o.book.try("deadletters-show", "MESSAGE="+id)
			return strings.Contains(out, "not an event")
		})
		return id
	}
	id := rubbish()
	o.book.tells("deadletters-list", o.book.run("deadletters-list"), "ORDER_CONFIRMED")
	o.book.tells("deadletters-show", o.book.run("deadletters-show", "MESSAGE="+id), id, "not an event")
	o.book.run("deadletters-replay")
	eventually(o.t, "the replayed message has failed again", func(context.Context) bool {
		_, code := o.book.try("deadletters-show", "MESSAGE="+id)
		return code == 0
	})
	o.book.tells("deadletters-discard", o.book.run("deadletters-discard"), "alice", "not from our system")
	if out, code := o.book.try("deadletters-show", "MESSAGE="+id); code == 0 {
		o.t.Errorf("the message is still there: %s", out)
	}
}

// publish publishes a message that is not an event.
func (o *operator) publish(key, id string) {
	o.t.Helper()
	var broker string
	for _, e := range o.worker.env {
		if v, ok := strings.CutPrefix(e, "RABBITMQ_URL="); ok {
			broker = v
		}
	}
	conn, err := amqp.Dial(broker)
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		o.t.Fatal(err)
	}
	message := amqp.Publishing{MessageId: id, Body: []byte("not an event"), DeliveryMode: amqp.Persistent}
	if err := channel.PublishWithContext(o.t.Context(), "orders", key, true, false, message); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) checksPayments() {
	if out, code := o.book.try("payments-check"); code != 0 {
		o.t.Errorf("payments-check before anything is wrong: exit code %d\n%s", code, out)
	}
	id := o.place(declined, lamp, 1).orderID()
	intent := o.post("/v1/payment_intents", url.Values{
		"amount": {"1299"}, "currency": {"usd"}, "payment_method": {visa}, "metadata[order_id]": {id},
	})
	o.post("/v1/payment_intents/"+intent+"/confirm", nil)
	out, code := o.book.try("payments-check")
	if code != 1 {
		o.t.Errorf("the gateway keeps money of a failed order: exit code %d", code)
	}
	o.book.tells("payments-check", out, id)
	out, code = o.book.try("payments-check-order", "ORDER="+id)
	if code != 1 {
		o.t.Errorf("one order, of which the gateway keeps money: exit code %d", code)
	}
	o.book.tells("payments-check-order", out, intent, "MONEY_KEPT: ", "kept 12.99 USD")
	o.book.try("payments-repair")
	if got := o.money(id).Net; got != 0 {
		o.t.Errorf("the gateway still keeps %d", got)
	}
	if told := o.timeline(id); !slices.Contains(told, "REFUNDED") {
		o.t.Errorf("the timeline is %v", told)
	}
	o.book.run("payments-check")
	o.book.run("payments-repair")
}

func (o *operator) checksStock() {
	o.book.tells("stock-check", o.book.run("stock-check", "PRODUCT="+lamp), "drifted: 0", "SALE")
	o.book.run("stock-repair")
	o.unitsBecome(lamp, units{Available: lamps - o.units(lamp).Sold, Sold: o.units(lamp).Sold})
}
