package notifier

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// mailer sends mail over SMTP.
type mailer struct {
	host    string
	options []gomail.Option
	from    *mail.Address
	domain  string // of the Message-IDs
}

// smtpTimeout bounds each of dialling, greeting and sending. Together they must stay below the lease of a delivery.
const smtpTimeout = 7 * time.Second

// newMailer parses the mail server's URL: smtp://user:password@host:587 requires STARTTLS, smtps://user:password@host:465
// is TLS from the start, and smtp://host:25?tls=none is unencrypted, for a server on the same machine. The error does not
// show the URL.
func newMailer(server, from string) (*mailer, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("SMTP_URL: want smtp://user:password@host:port or smtps://user:password@host:port")
	}
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM: %q is not an address such as Shop <orders@shop.example>: %w", from, err)
	}
	_, domain, _ := strings.Cut(sender.Address, "@")
	m := &mailer{host: u.Hostname(), from: sender, domain: domain, options: []gomail.Option{gomail.WithTimeout(smtpTimeout)}}
	switch {
	case u.Scheme == "smtps":
		m.options = append(m.options, gomail.WithSSL(), gomail.WithPort(465))
	case u.Query().Get("tls") == "none":
		m.options = append(m.options, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithPort(25))
	default:
		m.options = append(m.options, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithPort(587))
	}
	if u.Port() != "" {
		port, err := strconv.Atoi(u.Port())
		if err != nil {
			return nil, errors.New("SMTP_URL: the port is not a number")
		}
		m.options = append(m.options, gomail.WithPort(port))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		m.options = append(m.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	return m, nil
}

// send returns nil once the server has accepted the mail. Message-ID and date are the same in every attempt.
func (m *mailer) send(ctx context.Context, d *claimed) error {
	message, err := m.compose(d)
	if err != nil {
		return &finalError{err}
	}
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return fmt.Errorf("set up the mail client: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("connect to the mail server: %w", err)
	}
	err = client.Send(message)
	_ = client.Close() // a mail that the server has accepted stays accepted
	if err != nil {
		return refusedForGood(fmt.Errorf("send mail: %w", err))
	}
	return nil
}

func (m *mailer) compose(d *claimed) (*gomail.Msg, error) {
	message := gomail.NewMsg()
	message.FromMailAddress(m.from)
	if err := message.To(d.Address); err != nil {
		return nil, fmt.Errorf("the address of user %d: %w", d.UserID, err)
	}
	message.Subject(d.Subject)
	message.SetMessageIDWithValue(d.MessageID + "@" + m.domain)
	message.SetDateWithValue(d.CreatedAt)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office replies, please
	message.SetBodyString(gomail.TypeTextPlain, d.Body)
	if d.HTML != "" {
		message.AddAlternativeString(gomail.TypeTextHTML, d.HTML)
	}
	return message, nil
}

// refusedForGood makes the error final if the server will never accept the recipient or this mail (5xx). A 5xx to any other
// command is about our configuration, which operators can correct.
func refusedForGood(err error) error {
	var reply *gomail.SendError
	if !errors.As(err, &reply) || reply.IsTemp() || reply.ErrorCode() < 500 {
		return err
	}
	switch reply.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPDataClose:
		return &finalError{err}
	}
	return err
}
