package notifier

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/webhook"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a webhook as its owner should write it: it checks signature and time, and acts once per ID.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	replies []int // statuses of the next calls, sent after they took effect; then 200
	calls   []http.Header
	acted   map[string]string // bodies by ID
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, acted: map[string]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	key, err := webhook.ParseKey(webhookSecret)
	if err == nil {
		err = key.Verify(req.Header, body, time.Now())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, req.Header)
	id := req.Header.Get(webhook.HeaderID)
	if before, seen := r.acted[id]; seen && before != string(body) {
		r.t.Errorf("call %s was repeated with another body", id)
	}
	r.acted[id] = string(body)
	if len(r.replies) > 0 {
		w.WriteHeader(r.replies[0])
		r.replies = r.replies[1:]
	}
}

func (r *receiver) seen() (calls int, acted map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls), r.acted
}

func TestAWebhookIsCalledUnderOneIDUntilItTakesTheEvent(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := startReceiver(t)
	r.replies = []int{http.StatusInternalServerError, http.StatusFound, http.StatusTooManyRequests} // it acted nevertheless
	setContact(t, s, contact{Email: "ada@customers.example", WebhookURL: r.URL + "/hook?token=t0ken", WebhookSecret: webhookSecret})
	n := newNotifier(s, discard())
	n.mails = false
	batch := messages(t, event(1, order.Confirmed))
	if err := n.handle(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	sender := newSender(s, nil, discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sender.timing.backoff = time.Millisecond
	eventually(t, "the call to be taken", func() bool {
		sendAll(t, sender)
		return outbox(t, s)[0].Sent
	})
	if diff := cmp.Diff([]state{{Channel: toWebhook, Attempts: 4, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
	calls, acted := r.seen()
	if calls != 4 || len(acted) != 1 {
		t.Errorf("%d calls under %d IDs, want 4 under 1", calls, len(acted))
	}
	var got struct {
		Type      string
		Timestamp time.Time
		Data      json.RawMessage
	}
	if err := json.Unmarshal([]byte(acted["0197a4b2-6c1e-7d3f-8a55-000000000001_ORDER_CONFIRMED"]), &got); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 2, 9, 30, 15, 0, time.UTC)
	if got.Type != "order.confirmed" || string(got.Data) != string(batch[0].Body) || !got.Timestamp.Equal(at) {
		t.Errorf("called with %+v, want the event as it was published", got)
	}
}

func TestAWebhookThatIsGoneOrWantsAnotherSecretIsGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := startReceiver(t)
	r.replies = []int{http.StatusGone}
	setContact(t, s, contact{WebhookURL: r.URL, WebhookSecret: webhookSecret})
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, event(1, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	sender := newSender(s, nil, discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sender.timing.backoff, sender.timing.maxAttempts = time.Millisecond, 3
	sendAll(t, sender)
	setContact(t, s, contact{WebhookURL: r.URL, WebhookSecret: otherSecret})
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, event(2, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both to be given up", func() bool {
		sendAll(t, sender)
		all := outbox(t, s)
		return all[0].GivenUp && all[1].GivenUp
	})
	if all := outbox(t, s); all[0].Attempts != 1 || all[1].Attempts != 3 || !strings.Contains(all[1].Error, "403") {
		t.Errorf("outbox %+v", all)
	}
}

// otherSecret is not the receiver's.
var otherSecret = "whsec_" + strings.Repeat("QUJD", 10)

// TestAWebhookIsSignedWithThePresentSecret: one that is replaced, because it was stolen for example, signs nothing more.
func TestAWebhookIsSignedWithThePresentSecret(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := startReceiver(t)
	n := newNotifier(s, discard())
	n.operators = contact{WebhookURL: r.URL, WebhookSecret: otherSecret}
	setContact(t, s, contact{WebhookURL: r.URL, WebhookSecret: otherSecret})
	if err := n.handle(t.Context(), refundMessages(t, order.RefundFailed)); err != nil {
		t.Fatal(err)
	}
	setContact(t, s, contact{WebhookURL: r.URL, WebhookSecret: webhookSecret})
	sender := newSender(s, nil, discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sender.operators = contact{WebhookURL: r.URL, WebhookSecret: webhookSecret}
	sendAll(t, sender)
	if _, acted := r.seen(); len(acted) != 2 {
		t.Errorf("the webhook accepted %d calls, want the customer's and the operators': %+v", len(acted), outbox(t, s))
	}
	for _, d := range outbox(t, s) {
		if !d.Sent || d.Attempts != 1 {
			t.Errorf("outbox %+v", d)
		}
	}
}

func TestAWebhookThatIsNoLongerConfiguredIsNotCalled(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := startReceiver(t)
	n := newNotifier(s, discard())
	n.operators = contact{WebhookURL: r.URL, WebhookSecret: webhookSecret}
	setContact(t, s, contact{WebhookURL: r.URL, WebhookSecret: webhookSecret})
	if err := n.handle(t.Context(), refundMessages(t, order.RefundFailed)); err != nil {
		t.Fatal(err)
	}
	setContact(t, s, contact{WebhookURL: r.URL + "/new", WebhookSecret: webhookSecret})
	sender := newSender(s, nil, discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sendAll(t, sender)
	if calls, _ := r.seen(); calls != 0 {
		t.Errorf("%d calls", calls)
	}
	for _, d := range outbox(t, s) {
		if !d.GivenUp || d.Attempts != 1 {
			t.Errorf("outbox %+v", d)
		}
	}
}

func TestErrorsDoNotShowTheWebhooksURL(t *testing.T) {
	t.Parallel()
	c := newWebhookClient()
	defer c.CloseIdleConnections()
	d := &claimed{delivery: delivery{Channel: toWebhook, Address: "http://127.0.0.1:1/hook?token=t0ken"}}
	if err := callWebhook(t.Context(), c, d, webhookSecret); err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("got %v", err)
	}
}

func TestOperatorsGetAnAlertOnceAtEachOfTheirAddresses(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	server, r := startMailServer(t), startReceiver(t)
	n := newNotifier(s, discard())
	n.operators = contact{Email: "ops@shop.example", WebhookURL: r.URL, WebhookSecret: webhookSecret}
	a := attention()
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the saga repeats the alert every hour
		m := rabbitmq.Message{ID: a.MessageID(), Queue: rabbitmq.QueueNeedsAttention, Attempt: 1, Body: body}
		if err := n.handle(t.Context(), []rabbitmq.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	sender := newSender(s, server.mailer(t), discard(), 1)
	defer sender.webhooks.CloseIdleConnections()
	sender.operators = n.operators
	sendAll(t, sender)
	calls, acted := r.seen()
	if mails := server.received(); len(mails) != 1 || mails[0].To != "ops@shop.example" || calls != 1 || len(acted) != 1 {
		t.Errorf("%d mails and %d calls, want one each", len(mails), calls)
	}
	notes, err := s.ofOrder(t.Context(), a.OrderID)
	if err != nil || len(notes) != 1 || notes[0].Audience != forOperators {
		t.Errorf("notifications %+v (%v)", notes, err)
	}
}
