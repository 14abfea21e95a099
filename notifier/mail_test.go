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

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// postOffice is a real SMTP server that keeps what it gets.
type postOffice struct {
	addr string

	mu     sync.Mutex
	mails  []envelope
	refuse []*smtp.SMTPError // of the next recipients, one each
}

type envelope struct {
	From, To string
	Data     []byte
}

func startPostOffice(t *testing.T) *postOffice {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{addr: listener.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{office: p}, nil }))
	server.Domain = "localhost"
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return p
}

func (p *postOffice) received() []envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

func (p *postOffice) mailer(t *testing.T) *mailer {
	t.Helper()
	m, err := newMailer("smtp://"+p.addr+"?tls=none", "Shop <orders@shop.example>")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// session is one conversation with the post office.
type session struct {
	office *postOffice
	envelope
}

func (s *session) Reset()        { s.envelope = envelope{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	if len(s.office.refuse) > 0 {
		err := s.office.refuse[0]
		s.office.refuse = s.office.refuse[1:]
		return err
	}
	s.To = to
	return nil
}

func (s *session) Data(r io.Reader) (err error) {
	if s.envelope.Data, err = io.ReadAll(r); err != nil {
		return err
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, s.envelope)
	return nil
}

// parts reads a mail with two alternatives, by their content types.
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
	office := startPostOffice(t)
	list(t, s, entry{Email: "ada@customers.example"})
	e := event(1, order.Confirmed)
	e.Items = append(e.Items, order.Line{ProductID: "t", Name: "Tamper <58 mm> & café", Quantity: 1, Price: money.Money{Amount: 3950, Currency: "USD"}})
	e.Total.Amount += 3950
	for range 3 {
		if err := newNotifier(s, discard()).handle(t.Context(), message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	sendAll(t, newSender(s, office.mailer(t), discard(), 1))

	got := office.received()
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
		t.Error("the mail speaks of the payment method")
	}
	if diff := cmp.Diff([]state{{Channel: toMail, Attempts: 1, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

func TestMailThatIsRefusedForNowIsSentAgainAsTheSameMail(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	office := startPostOffice(t)
	office.refuse = []*smtp.SMTPError{{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}}
	list(t, s, entry{Email: "ada@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), message(t, event(1, order.Cancelled))); err != nil {
		t.Fatal(err)
	}
	sender := newSender(s, office.mailer(t), discard(), 1)
	sender.pace.backoff = time.Millisecond
	eventually(t, "the mail", func() bool {
		sendAll(t, sender)
		return len(office.received()) > 0
	})
	if diff := cmp.Diff([]state{{Channel: toMail, Attempts: 2, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
	_, content := parts(t, office.received()[0].Data)
	checkGolden(t, "cancelled.txt", content["text/plain"])
}

func TestMailToAnAddressThatDoesNotExistIsGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	office := startPostOffice(t)
	office.refuse = []*smtp.SMTPError{{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}}
	list(t, s, entry{Email: "nobody@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), message(t, event(1, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	sendAll(t, newSender(s, office.mailer(t), discard(), 1))
	got := outbox(t, s)
	if len(got) != 1 || !got[0].GivenUp || !strings.Contains(got[0].Error, "no such user") {
		t.Errorf("outbox %+v", got)
	}
}

func TestSilentMailServerIsLeft(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	list(t, s, entry{Email: "ada@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), message(t, event(1, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	sendAll(t, newSender(s, (&postOffice{addr: silent.Addr().String()}).mailer(t), discard(), 1))
	if took := time.Since(began); took > defaultPace.lease {
		t.Errorf("it took %s, longer than the lease", took)
	}
	if got := outbox(t, s); len(got) != 1 || got[0].Attempts != 1 || got[0].Sent || got[0].GivenUp || got[0].Error == "" {
		t.Errorf("outbox %+v", got)
	}
}
