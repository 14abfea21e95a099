package notifier

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// refundEvent is the event of a refund of order 1 in a status, for a cancelled unit.
func refundEvent(status order.RefundStatus, change func(*order.Refund)) order.RefundEvent {
	at := time.Date(2026, 11, 9, 10, 0, 0, 0, time.UTC)
	usd := money.Money{Amount: 1299, Currency: "USD"}
	r := order.Refund{
		ID: "0197a4b2-6c1e-7d3f-8a55-000000000070", OrderID: event(1, order.Confirmed).OrderID, UserID: 42,
		Kind: order.Cancellation, Money: order.ThroughGateway, Amount: usd, Status: status,
		Lines:      []order.RefundLine{{Line: 1, ProductID: "cup", Name: "Espresso cup", Quantity: 1, Restock: 1, Value: usd}},
		AcceptedAt: at, RefusedAt: at, FailedAt: at,
	}
	switch status {
	case order.RefundRefused:
		r.Cause = &order.RefundCause{Reason: order.RefundGivenUp, By: order.RefusedByOperator, Message: "the payment is under dispute."}
	case order.RefundFailed:
		r.Cause = order.GatewayRefund{Status: status, Failure: "expired_or_canceled_card"}.Outcome().Cause
	default:
		r.Message = "the cup is out of stock"
	}
	if change != nil {
		change(&r)
	}
	e, _ := order.NewRefundEvent(r)
	return e
}

// shipmentEvents are ORDER_SHIPPED and ORDER_DELIVERED of a shipment of order 1.
func shipmentEvents(change func(*order.Shipment)) []order.ShipmentEvent {
	s := order.Shipment{
		ID: "0197a4b2-6c1e-7d3f-8a55-000000000071", OrderID: event(1, order.Confirmed).OrderID, UserID: 42, Status: order.Delivered,
		Lines:   []order.ShipmentLine{{Line: 1, ProductID: "cup", Name: "Espresso cup", Quantity: 2}},
		Carrier: "Parcel Post", Tracking: "PP 0042",
		ShippedAt: time.Date(2026, 11, 3, 8, 0, 0, 0, time.UTC), DeliveredAt: time.Date(2026, 11, 5, 16, 30, 0, 0, time.UTC),
	}
	if change != nil {
		change(&s)
	}
	return order.NewShipmentEvents(s)
}

// message is the event as the consumer gets it from the queue.
func message(t *testing.T, queue string, e interface{ MessageID() string }) rabbitmq.Message {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return rabbitmq.Message{ID: e.MessageID(), Queue: queue, Attempt: 1, Body: body}
}

func refundMessages(t *testing.T, statuses ...order.RefundStatus) []rabbitmq.Message {
	t.Helper()
	batch := make([]rabbitmq.Message, len(statuses))
	for i, status := range statuses {
		batch[i] = message(t, rabbitmq.QueueRefunds, refundEvent(status, nil))
	}
	return batch
}

func TestWhatCustomersReadAboutRefunds(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, e := range map[string]order.RefundEvent{
		"cancelled": refundEvent(order.RefundPending, nil),
		"returned, paid in cash, in dinars": refundEvent(order.RefundSucceeded, func(r *order.Refund) {
			r.Kind, r.Money, r.Message = order.Return, order.ByOtherMeans, ""
			r.Amount = money.Money{Amount: 1230, Currency: "KWD"}
		}),
		"units only": refundEvent(order.RefundSucceeded, func(r *order.Refund) { r.Kind, r.Money, r.Amount.Amount = order.Return, order.NoMoney, 0 }),
		"goodwill":   refundEvent(order.RefundSucceeded, func(r *order.Refund) { r.Kind, r.Lines, r.Message = order.Goodwill, nil, "Sorry!" }),
		"outside":    refundEvent(order.RefundSucceeded, func(r *order.Refund) { r.Kind, r.Lines, r.Message = order.Outside, nil, "" }),
		"refused":    refundEvent(order.RefundRefused, nil),
		"refused, units only": refundEvent(order.RefundRefused, func(r *order.Refund) {
			r.Money, r.Amount = order.NoMoney, money.Money{}
		}),
		"failed":         refundEvent(order.RefundFailed, nil),
		"failed outside": refundEvent(order.RefundFailed, func(r *order.Refund) { r.Kind, r.Lines = order.Outside, nil }),
	} {
		c, err := refundContent(e, []byte("{}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = c.Short
	}
	const id = "0197a4b2-6c1e-7d3f-8a55-000000000001"
	const bank = "The money goes back to what you paid with. Your bank may need some days to show it."
	const back = "The money could not be paid out and came back (expired_or_canceled_card). "
	want := map[string]string{
		"cancelled": "A refund of $12.99 for your order " + id + ". Cancelled: 1 × Espresso cup. The cup is out of stock. " + bank,
		"returned, paid in cash, in dinars": "A refund of KWD\u00a01.230 for your order " + id +
			". Returned: 1 × Espresso cup. You get the money in another way than you paid.",
		"units only": "Items of your order " + id + " were returned. Returned: 1 × Espresso cup. The cup is out of stock. " +
			"What you paid does not change.",
		"goodwill": "A refund of $12.99 for your order " + id + ". Sorry! " + bank,
		"outside":  "A refund of $12.99 for your order " + id + ". " + bank,
		"refused": "We could not make the refund of $12.99 for your order " + id +
			". It was for 1 × Espresso cup. The payment is under dispute. No money was moved. The shop has been told.",
		"refused, units only": "We could not make the refund for your order " + id +
			". It was for 1 × Espresso cup. The payment is under dispute. No money was moved. The shop has been told.",
		"failed": "The bank did not take the refund of $12.99 for your order " + id + ". It was for 1 × Espresso cup. " + back +
			"You are still owed it, and the shop has been told.",
		"failed outside": "The bank did not take the refund of $12.99 for your order " + id + ". " + back + "The shop has been told.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestContentsAboutRefundsAndShipments(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]order.RefundEvent{
		"refunded": refundEvent(order.RefundPending, nil), "refund-failed": refundEvent(order.RefundFailed, nil),
		"goodwill": refundEvent(order.RefundSucceeded, func(r *order.Refund) { r.Kind, r.Lines = order.Goodwill, nil }),
	} {
		c, err := refundContent(e, []byte(`{"orderId":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".txt", c.Plain)
		checkGolden(t, name+".html", c.HTML)
		checkGolden(t, name+".json", c.Payload+"\n")
	}
	for name, e := range map[string]order.RefundEvent{
		"operators-refused": refundEvent(order.RefundRefused, nil), "operators-failed": refundEvent(order.RefundFailed, nil),
		"operators-failed-outside": refundEvent(order.RefundFailed, func(r *order.Refund) { r.Kind = order.Outside }),
	} {
		c, err := refundAlertContent(e, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".txt", c.Subject+"\n\n"+c.Plain+"\n"+c.Short+"\n"+c.Payload+"\n")
	}
	for i, name := range []string{"shipped", "delivered"} {
		c, err := shipmentContent(shipmentEvents(nil)[i], []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".txt", c.Subject+"\n\n"+c.Plain+"\n"+c.Short+"\n"+c.Payload+"\n")
		checkGolden(t, name+".html", c.HTML)
	}
}

// TestNamesAndMessagesStayOnTheirLine: a product's name, or a text of the shop, cannot write lines of a mail.
func TestNamesAndMessagesStayOnTheirLine(t *testing.T) {
	t.Parallel()
	const evil = "cup\r\nBcc: all@customers.example\n\nTotal: $0.00<b>"
	refund, err := refundContent(refundEvent(order.RefundPending, func(r *order.Refund) {
		r.Lines[0].Name, r.Message = evil, evil
	}), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	shipment, err := shipmentContent(shipmentEvents(func(s *order.Shipment) {
		s.Lines[0].Name, s.Carrier, s.Tracking = evil, evil, evil
	})[0], []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	failed := refundEvent(order.RefundFailed, func(r *order.Refund) { r.Cause.Message = evil })
	alert, err := refundAlertContent(failed, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]content{"refund": refund, "shipment": shipment, "alert": alert} {
		if strings.Contains(c.Plain, "\nBcc") || strings.Contains(c.Plain, "\nTotal") || strings.ContainsAny(c.Short+c.Subject, "\r\n") {
			t.Errorf("%s: %s\n%s", name, c.Short, c.Plain)
		}
		if strings.Contains(c.HTML, "<b>") {
			t.Errorf("%s: %s", name, c.HTML)
		}
	}
}

func TestEventsAboutRefundsAndShipmentsThatCannotBeToldAreDeadLetters(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	broker := newBroker(t)
	p := newPublisher(t, broker)
	odd := refundEvent(order.RefundPending, func(r *order.Refund) { r.Amount.Currency = "QQQ" })
	for _, err := range []error{
		p.PublishRefund(t.Context(), odd),
		p.PublishRefund(t.Context(), refundEvent(order.RefundFailed, nil)),
		p.PublishShipment(t.Context(), shipmentEvents(nil)[0]),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	startConsumer(t, broker, newNotifier(s, discard()))
	awaitNotifications(t, s, 3) // the customer's two, and the operators'
	eventually(t, "the dead letter", func() bool { return ready(t, broker, rabbitmq.DeadLetterQueue) == 1 })
	checkCounts(t, s, 3)
	for _, m := range []rabbitmq.Message{
		{ID: "x", Queue: rabbitmq.QueueRefunds, Body: []byte("{}")}, {ID: "x", Queue: rabbitmq.QueueShipments, Body: []byte("{}")},
	} {
		if notes, err := read(m); err == nil {
			t.Errorf("%s: %v", m.Queue, notes)
		}
	}
}

// told returns the types of the notifications that reached the audience by mail, in sequence.
func told(t *testing.T, server *mailServer, to string) []string {
	t.Helper()
	var types []string
	for _, m := range server.received() {
		if m.To != to {
			continue
		}
		message, err := mail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(strings.Trim(message.Header.Get("Message-Id"), "<>"), "@shop.example")
		types = append(types, strings.TrimPrefix(id, "0197a4b2-6c1e-7d3f-8a55-000000000070."))
	}
	return types
}

// climbing are all sequences in which the events of a refund that was refused, accepted after all, and failed can come.
var climbing = [][]order.RefundStatus{
	{order.RefundRefused, order.RefundPending, order.RefundFailed}, {order.RefundRefused, order.RefundFailed, order.RefundPending},
	{order.RefundPending, order.RefundRefused, order.RefundFailed}, {order.RefundPending, order.RefundFailed, order.RefundRefused},
	{order.RefundFailed, order.RefundRefused, order.RefundPending}, {order.RefundFailed, order.RefundPending, order.RefundRefused},
}

// TestWhatALaterEventHasOvertakenIsNotTold hands over the events of a refund in every order, each twice: in one batch, one by
// one before anything is sent, and one by one with what is due sent after each.
func TestWhatALaterEventHasOvertakenIsNotTold(t *testing.T) {
	t.Parallel()
	ranks := map[string]int{"ORDER_REFUND_REFUSED": 1, "ORDER_REFUNDED": 2, "ORDER_REFUND_FAILED": 3}
	s, _ := newStore(t)
	for _, statuses := range climbing {
		for _, way := range []string{"in one batch", "one by one", "sent one by one"} {
			if _, err := s.pool.Exec(t.Context(), `TRUNCATE outbox, notifications`); err != nil {
				t.Fatal(err)
			}
			server := startMailServer(t)
			setContact(t, s, contact{Email: "ada@customers.example"})
			n := newNotifier(s, discard())
			n.operators = contact{Email: "ops@shop.example"}
			sender := newSender(s, server.mailer(t), discard(), 1)
			batch := refundMessages(t, append(slices.Clone(statuses), statuses...)...)
			for len(batch) > 0 {
				size := 1
				if way == "in one batch" {
					size = len(batch)
				}
				if err := n.handle(t.Context(), batch[:size]); err != nil {
					t.Fatal(err)
				}
				batch = batch[size:]
				if way == "sent one by one" {
					sendAll(t, sender)
				}
			}
			sendAll(t, sender)
			customer, operators := told(t, server, "ada@customers.example"), told(t, server, "ops@shop.example")
			if way != "sent one by one" {
				if diff := cmp.Diff([]string{"ORDER_REFUND_FAILED"}, customer); diff != "" {
					t.Errorf("%v %s: the customer is told (-want +got):\n%s", statuses, way, diff)
				}
				if diff := cmp.Diff([]string{"ORDER_REFUND_FAILED.operators"}, operators); diff != "" {
					t.Errorf("%v %s: operators are told (-want +got):\n%s", statuses, way, diff)
				}
			}
			climbs := slices.IsSortedFunc(customer, func(a, b string) int { return ranks[a] - ranks[b] })
			if !climbs || len(slices.Compact(slices.Clone(customer))) != len(customer) || customer[len(customer)-1] != "ORDER_REFUND_FAILED" {
				t.Errorf("%v %s: the customer is told %v", statuses, way, customer)
			}
		}
	}
}

// TestWhatIsOvertakenBeforeItComesIsNotListed: GET /notifications lists what people are told.
func TestWhatIsOvertakenBeforeItComesIsNotListed(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	n := newNotifier(s, discard())
	for _, m := range refundMessages(t, order.RefundFailed, order.RefundPending, order.RefundRefused) {
		if err := n.handle(t.Context(), []rabbitmq.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := s.ofOrder(t.Context(), event(1, order.Confirmed).OrderID)
	if err != nil || len(notes) != 2 || notes[0].Type != "ORDER_REFUND_FAILED" || notes[1].Type != "ORDER_REFUND_FAILED" {
		t.Errorf("notifications %+v (%v), want the failure for the customer and for operators", notes, err)
	}
}

// TestEventsOfARefundThatAreRecordedConcurrentlyTellTheLastOnly: neither transaction sees the other, the sender sees both.
func TestEventsOfARefundThatAreRecordedConcurrentlyTellTheLastOnly(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	server := startMailServer(t)
	setContact(t, s, contact{Email: "ada@customers.example"})
	n := newNotifier(s, discard())
	first, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A transaction with ORDER_REFUND_FAILED that has not committed when ORDER_REFUNDED is recorded.
	failed := refundEvent(order.RefundFailed, nil)
	if _, err := first.Exec(t.Context(), `
		INSERT INTO notifications (message_id, order_id, user_id, audience, type, text) VALUES ($1, $2, 42, 'customer', $3, 'failed')`,
		failed.MessageID(), failed.OrderID, failed.Type); err != nil {
		t.Fatal(err)
	}
	if err := n.handle(t.Context(), refundMessages(t, order.RefundPending)); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	sendAll(t, newSender(s, server.mailer(t), discard(), 1))
	want := []state{{Channel: toMail, Attempts: 1, GivenUp: true, Error: errOvertaken.Error()}}
	if diff := cmp.Diff(want, outbox(t, s)); diff != "" || len(server.received()) != 0 {
		t.Errorf("%d mails, outbox (-want +got):\n%s", len(server.received()), diff)
	}
}

func TestCopiesOfEventsAboutARefundThatAreHandledConcurrentlyTellOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	n := newNotifier(s, discard())
	var copies errgroup.Group
	for i := range 8 {
		batch := refundMessages(t, climbing[i%len(climbing)]...)
		copies.Go(func() error { return n.handle(t.Context(), batch) })
	}
	if err := copies.Wait(); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, 2) // each batch has the failure: the customer's and the operators'
}

func TestADeliveryIsNotAnnouncedAsOnItsWay(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	server := startMailServer(t)
	setContact(t, s, contact{Email: "ada@customers.example"})
	n := newNotifier(s, discard())
	events := shipmentEvents(nil)
	slices.Reverse(events)
	for _, e := range append(events, events...) {
		if err := n.handle(t.Context(), []rabbitmq.Message{message(t, rabbitmq.QueueShipments, e)}); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, newSender(s, server.mailer(t), discard(), 1))
	if got := server.received(); len(got) != 1 || !strings.Contains(string(got[0].Data), "was delivered") {
		t.Errorf("%d mails, want one about the delivery", len(got))
	}
}

func TestARefundThatFailsIsToldToCustomerAndOperators(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	customers, operators := startReceiver(t), startReceiver(t)
	setContact(t, s, contact{WebhookURL: customers.URL, WebhookSecret: webhookSecret})
	n := newNotifier(s, discard())
	n.operators = contact{WebhookURL: operators.URL, WebhookSecret: webhookSecret}
	batch := refundMessages(t, order.RefundFailed)
	if err := n.handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	sender := newSender(s, nil, discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sender.operators = n.operators
	sendAll(t, sender)
	for name, r := range map[string]*receiver{"": customers, "_operators": operators} {
		calls, acted := r.seen()
		body := acted["0197a4b2-6c1e-7d3f-8a55-000000000070_ORDER_REFUND_FAILED"+name]
		want := `{"type":"order.refund_failed","timestamp":"2026-11-09T10:00:00Z","data":` + string(batch[0].Body) + `}`
		if diff := cmp.Diff(want, body); calls != 1 || diff != "" {
			t.Errorf("%q: %d calls, body (-want +got):\n%s", name, calls, diff)
		}
	}
	notes, err := s.ofOrder(t.Context(), event(1, order.Confirmed).OrderID)
	if err != nil || len(notes) != 2 || notes[0].Audience != forCustomer || notes[1].Audience != forOperators {
		t.Errorf("notifications %+v (%v)", notes, err)
	}
}
