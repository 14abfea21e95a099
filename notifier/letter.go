package notifier

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// letter is what is said about an event, in the forms in which it is sent.
type letter struct {
	Subject string
	Short   string // one line, for the log and the record
	Text    string // of a mail
	HTML    string // of the same mail
	Payload string // of a webhook, JSON
}

//go:embed templates/customer.txt.tmpl
var customerText string

//go:embed templates/customer.html.tmpl
var customerHTML string

//go:embed templates/operators.txt.tmpl
var operatorsText string

var (
	customerTextTemplate  = text.Must(text.New("customer.txt").Parse(customerText))
	customerHTMLTemplate  = html.Must(html.New("customer.html").Parse(customerHTML))
	operatorsTextTemplate = text.Must(text.New("operators.txt").Parse(operatorsText))
)

// page is what the templates for customers show.
type page struct {
	Title   string
	Intro   string
	OrderID order.ID
	Lines   []row
	Total   string // empty when the order was never priced
	Outro   string
}

// row is a line of the order. Prices are empty when the order was never priced.
type row struct {
	Name           string
	Quantity       int
	UnitPrice, Sum string
}

// customerLetter is what the customer reads about the end of an order. It fails for events of unknown types and for
// amounts in no known currency. It shows nothing of the payment but what was charged.
func customerLetter(e order.Event, body []byte) (letter, error) {
	short, err := shortText(e)
	if err != nil {
		return letter{}, err
	}
	p, err := newPage(e)
	if err != nil {
		return letter{}, err
	}
	l := letter{Subject: p.Title, Short: short}
	var plain, rich bytes.Buffer
	if err := customerTextTemplate.Execute(&plain, p); err != nil {
		return letter{}, err
	}
	if err := customerHTMLTemplate.Execute(&rich, p); err != nil {
		return letter{}, err
	}
	l.Text, l.HTML = plain.String(), rich.String()
	l.Payload, err = payload(e.Type, e.OccurredAt, body)
	return l, err
}

func newPage(e order.Event) (page, error) {
	p := page{OrderID: e.OrderID}
	switch {
	case e.Type == order.EventConfirmed:
		p.Title = fmt.Sprintf("Your order %s is confirmed", e.OrderID)
		p.Intro = "Thank you! Your order is confirmed."
	case e.Status == order.Cancelled:
		p.Title = fmt.Sprintf("Your order %s was cancelled", e.OrderID)
		p.Intro = strings.TrimSpace("Your order was cancelled. " + sentence(e.Message))
		p.Outro = "You pay nothing for it."
	default:
		p.Title = fmt.Sprintf("We could not complete your order %s", e.OrderID)
		p.Intro = strings.TrimSpace("We could not complete your order. " + sentence(e.Message))
		p.Outro = "You pay nothing for it."
	}
	for _, l := range e.Items {
		r, err := newRow(l)
		if err != nil {
			return p, err
		}
		p.Lines = append(p.Lines, r)
	}
	if !e.Total.IsZero() {
		total, err := moneytext.Price(e.Total)
		if err != nil {
			return p, err
		}
		p.Total = total
	}
	return p, nil
}

func newRow(l order.Line) (row, error) {
	r := row{Name: name(l), Quantity: l.Quantity}
	if l.Price.IsZero() {
		return r, nil
	}
	sum, err := l.Price.Times(l.Quantity)
	if err != nil {
		return r, fmt.Errorf("sum up the line %s: %w", l.ProductID, err)
	}
	if r.Sum, err = moneytext.Price(sum); err != nil {
		return r, err
	}
	r.UnitPrice, err = moneytext.Price(l.Price)
	return r, err
}

// operatorsLetter is what operators read about an order in trouble.
func operatorsLetter(a order.Alert, body []byte) (letter, error) {
	l := letter{
		Subject: fmt.Sprintf("Order %s needs attention: %s", a.OrderID, a.Step),
		Short:   fmt.Sprintf("Order %s needs attention: %s stays broken since %s: %s", a.OrderID, a.Step, a.Since.UTC().Format(time.RFC3339), a.Error),
	}
	var plain bytes.Buffer
	if err := operatorsTextTemplate.Execute(&plain, a); err != nil {
		return letter{}, err
	}
	l.Text = plain.String()
	var err error
	l.Payload, err = payload(a.Type, a.Since, body)
	return l, err
}

// payload is a webhook's body in the form that the Standard Webhooks scheme recommends: what happened, when, and the
// event as it was published.
func payload(t order.EventType, at time.Time, event []byte) (string, error) {
	body, err := json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{webhookType(t), at, event})
	return string(body), err
}

// webhookType is the event's type as webhooks name it, as in order.needs_attention.
func webhookType(t order.EventType) string {
	return strings.Replace(strings.ToLower(string(t)), "_", ".", 1)
}
