package notifier

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// content is what a notification says, in every form in which it is sent.
type content struct {
	Subject string
	Short   string // one line, for the log and GET /notifications
	Plain   string // of a mail
	HTML    string // of the same mail
	Payload string // of a webhook, JSON
}

//go:embed templates
var templates embed.FS

var (
	customerText = text.Must(text.ParseFS(templates, "templates/customer.txt.tmpl"))
	customerHTML = html.Must(html.ParseFS(templates, "templates/customer.html.tmpl"))
	alertText    = text.Must(text.ParseFS(templates, "templates/alert.txt.tmpl"))
)

// page is what the customer's templates show.
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

// customerContent is what the customer reads about a finished order. It returns an error for an unknown type of event and
// for an unknown currency. Of the payment it shows only the amount.
func customerContent(e order.Event, body []byte) (content, error) {
	short, err := summary(e)
	if err != nil {
		return content{}, err
	}
	p, err := newPage(e)
	if err != nil {
		return content{}, err
	}
	var plain, rich bytes.Buffer
	if err := errors.Join(customerText.Execute(&plain, p), customerHTML.Execute(&rich, p)); err != nil {
		return content{}, err
	}
	c := content{Subject: p.Title, Short: short, Plain: plain.String(), HTML: rich.String()}
	c.Payload, err = payload(e.Type, e.OccurredAt, body)
	return c, err
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
		return r, fmt.Errorf("the sum of the line %s: %w", l.ProductID, err)
	}
	if r.Sum, err = moneytext.Price(sum); err != nil {
		return r, err
	}
	r.UnitPrice, err = moneytext.Price(l.Price)
	return r, err
}

// alertContent is what operators read about an order that needs attention.
func alertContent(a order.Alert, body []byte) (content, error) {
	var plain bytes.Buffer
	if err := alertText.Execute(&plain, a); err != nil {
		return content{}, err
	}
	c := content{
		Subject: fmt.Sprintf("Order %s needs attention: %s", a.OrderID, a.Step),
		Short: fmt.Sprintf("Order %s needs attention: %s has been broken since %s: %s",
			a.OrderID, a.Step, a.Since.UTC().Format(time.RFC3339), a.Error),
		Plain: plain.String(),
	}
	var err error
	c.Payload, err = payload(a.Type, a.Since, body)
	return c, err
}

// payload is a webhook's body in the form that Standard Webhooks recommends: what happened, when, and the event as it was
// published.
func payload(t order.EventType, at time.Time, event []byte) (string, error) {
	body, err := json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{webhookType(t), at, event})
	return string(body), err
}

// webhookType is the event's type in the style of webhooks, for example order.needs_attention.
func webhookType(t order.EventType) string {
	return strings.Replace(strings.ToLower(string(t)), "_", ".", 1)
}
