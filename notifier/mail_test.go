package notifier

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

// mailServer is a real SMTP server that keeps what it gets.
type mailServer struct {
	addr string

	mu     sync.Mutex
	mails  []envelope
	refuse []*smtp.SMTPError // of the next recipients, one each
}

type envelope struct {
	From, To string
	Data     []byte
}

func startMailServer(t *testing.T) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &mailServer{addr: listener.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: p}, nil }))
	server.Domain = "localhost"
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return p
}

func (p *mailServer) received() []envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

func (p *mailServer) mailer(t *testing.T) *mailer {
	t.Helper()
	m, err := newMailer("smtp://"+p.addr+"?tls=none", "Shop <orders@shop.example>")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// session is one SMTP session.
type session struct {
	server *mailServer
	envelope
}

func (s *session) Reset()        { s.envelope = envelope{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if len(s.server.refuse) > 0 {
		err := s.server.refuse[0]
		s.server.refuse = s.server.refuse[1:]
		return err
	}
	s.To = to
	return nil
}

func (s *session) Data(r io.Reader) (err error) {
	if s.envelope.Data, err = io.ReadAll(r); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.envelope)
	return nil
}

// parts returns the alternatives of a mail, by content type.
func parts(t *testing.T, data []byte) (*mail.Message, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s (%v)", kind, err)
	}
	found := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		found[kind] = strings.ReplaceAll(string(content), "\r\n", "\n")
	}
}

func TestTheCustomerGetsOneMailWithTheOrdersLinesAndTotal(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	server := startMailServer(t)
	setContact(t, s, contact{Email: "ada@customers.example"})
	e := event(1, order.Confirmed)
	e.Items = append(e.Items, order.Line{ProductID: "t", Name: "Tamper <58 mm> & café", Quantity: 1, Price: dollars(3950)})
	e.Total.Amount += 3950
	for range 3 {
		if err := newNotifier(s, discard()).handle(t.Context(), messages(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, newSender(s, server.mailer(t), discard(), 1))

	got := server.received()
	if len(got) != 1 {
		t.Fatalf("%d mails, want 1: %v", len(got), outbox(t, s))
	}
	if got[0].From != "orders@shop.example" || got[0].To != "ada@customers.example" {
		t.Errorf("from %s to %s", got[0].From, got[0].To)
	}
	m, content := parts(t, got[0].Data)
	headers := map[string]string{}
	for _, name := range []string{"From", "To", "Subject", "Message-Id", "Auto-Submitted"} {
		headers[name] = m.Header.Get(name)
	}
	want := map[string]string{
		"From": `"Shop" <orders@shop.example>`, "To": "<ada@customers.example>",
		"Subject":        "Your order 0197a4b2-6c1e-7d3f-8a55-000000000001 is confirmed",
		"Message-Id":     "<0197a4b2-6c1e-7d3f-8a55-000000000001.ORDER_CONFIRMED@shop.example>",
		"Auto-Submitted": "auto-generated",
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	checkGolden(t, "confirmed.txt", content["text/plain"])
	checkGolden(t, "confirmed.html", content["text/html"])
	if strings.Contains(string(got[0].Data), "pm_card") {
		t.Error("the mail shows the payment method")
	}
	if diff := cmp.Diff([]state{{Channel: toMail, Attempts: 1, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

// refusedMail returns a store with a mail in its outbox, and the server that refuses it once.
func refusedMail(t *testing.T, status order.Status, refusal *smtp.SMTPError) (*store, *mailServer) {
	t.Helper()
	s, _ := newStore(t)
	server := startMailServer(t)
	server.refuse = []*smtp.SMTPError{refusal}
	setContact(t, s, contact{Email: "ada@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, event(1, status))); err != nil {
		t.Fatal(err)
	}
	return s, server
}

func TestMailThatIsRefusedForNowIsSentAgainUnchanged(t *testing.T) {
	t.Parallel()
	s, server := refusedMail(t, order.Cancelled, &smtp.SMTPError{
		Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now",
	})
	sender := newSender(s, server.mailer(t), discard(), 1)
	sender.timing.backoff = time.Millisecond
	eventually(t, "the mail", func() bool {
		sendAll(t, sender)
		return len(server.received()) > 0
	})
	if diff := cmp.Diff([]state{{Channel: toMail, Attempts: 2, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
	_, content := parts(t, server.received()[0].Data)
	checkGolden(t, "cancelled.txt", content["text/plain"])
}

func TestMailToAnAddressThatDoesNotExistIsGivenUp(t *testing.T) {
	t.Parallel()
	s, server := refusedMail(t, order.Confirmed, &smtp.SMTPError{
		Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user",
	})
	sendAll(t, newSender(s, server.mailer(t), discard(), 1))
	got := outbox(t, s)
	if len(got) != 1 || !got[0].GivenUp || !strings.Contains(got[0].Error, "no such user") {
		t.Errorf("outbox %+v", got)
	}
}

func TestASilentMailServerIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never sends anything
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	setContact(t, s, contact{Email: "ada@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, event(1, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	sendAll(t, newSender(s, (&mailServer{addr: silent.Addr().String()}).mailer(t), discard(), 1))
	if took := time.Since(began); took > defaultTiming.lease {
		t.Errorf("it took %s, longer than the lease", took)
	}
	if got := outbox(t, s); len(got) != 1 || got[0].Attempts != 1 || got[0].Sent || got[0].GivenUp || got[0].Error == "" {
		t.Errorf("outbox %+v", got)
	}
}
