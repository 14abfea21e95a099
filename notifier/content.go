package notifier

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	html "html/template"
	"slices"
	"strings"
	text "text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/plain"
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
	refundText   = text.Must(text.ParseFS(templates, "templates/refund.txt.tmpl"))
)

// page is what the customer's templates show.
type page struct {
	Title   string
	Short   string // of content
	Intro   string
	OrderID order.ID
	Lines   []row
	Total   string // empty when no amount is known, or none moves
	TotalOf string // what Total is called
	Outro   string
}

// row is a line of the order, or what an event says of it. Amounts that are not known, or that do not matter, are empty.
type row struct {
	Name           string
	Quantity       int
	UnitPrice, Sum string
}

// HasPrices reports whether a line shows the price of one unit, and HasSums whether it shows a sum.
func (p page) HasPrices() bool {
	return slices.ContainsFunc(p.Lines, func(r row) bool { return r.UnitPrice != "" })
}
func (p page) HasSums() bool {
	return slices.ContainsFunc(p.Lines, func(r row) bool { return r.Sum != "" })
}

// words lists the lines in a sentence, for example "2 × Espresso cup, 1 × Tamper".
func (p page) words() string {
	words := make([]string, len(p.Lines))
	for i, r := range p.Lines {
		words[i] = fmt.Sprintf("%d × %s", r.Quantity, r.Name)
	}
	return strings.Join(words, ", ")
}

// content writes the page as a mail and its event as a webhook's body.
func (p page) content(t order.EventType, at time.Time, event []byte) (content, error) {
	var words, rich bytes.Buffer
	if err := errors.Join(customerText.Execute(&words, p), customerHTML.Execute(&rich, p)); err != nil {
		return content{}, err
	}
	body, err := payload(t, at, event)
	return content{Subject: p.Title, Short: p.Short, Plain: words.String(), HTML: rich.String(), Payload: body}, err
}

// customerContent is what the customer reads about a finished order. It returns an error for an unknown type of event and
// for an unknown currency. Of the payment it shows only the amount.
func customerContent(e order.Event, body []byte) (content, error) {
	p, err := newPage(e)
	if err != nil {
		return content{}, err
	}
	return p.content(e.Type, e.OccurredAt, body)
}

func newPage(e order.Event) (p page, err error) {
	p.OrderID, p.TotalOf = e.OrderID, "Total"
	for _, l := range e.Items {
		r, err := newRow(l)
		if err != nil {
			return p, err
		}
		p.Lines = append(p.Lines, r)
	}
	// Only an order that was never priced has no total, and it cannot be confirmed.
	if !e.Total.IsZero() || e.Type == order.EventConfirmed {
		if p.Total, err = moneytext.Price(e.Total); err != nil {
			return p, err
		}
	}
	switch {
	case e.Type == order.EventConfirmed:
		p.Title = fmt.Sprintf("Your order %s is confirmed", e.OrderID)
		p.Intro = "Thank you! Your order is confirmed."
		p.Short = fmt.Sprintf("Thank you! %s: %s. You were charged %s.", p.Title, p.words(), p.Total)
		return p, nil
	case e.Type != order.EventCancelled:
		return p, fmt.Errorf("an event of the unknown type %q", e.Type)
	case e.Status == order.Cancelled:
		p.Title = fmt.Sprintf("Your order %s was cancelled", e.OrderID)
		p.Intro = "Your order was cancelled. "
	default:
		p.Title = fmt.Sprintf("We could not complete your order %s", e.OrderID)
		p.Intro = "We could not complete your order. "
	}
	why := sentence(e.Message)
	p.Outro = "You owe nothing for it." // true as well when an operator has skipped the refund
	p.Intro = strings.TrimSpace(p.Intro + why)
	p.Short = p.Title + ". " + why + p.Outro
	return p, nil
}

func newRow(l order.Line) (row, error) {
	r := row{Name: plain.Show(cmp.Or(l.Name, l.ProductID)), Quantity: l.Quantity}
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
	a.Error = plain.Show(a.Error)
	var words bytes.Buffer
	if err := alertText.Execute(&words, a); err != nil {
		return content{}, err
	}
	c := content{
		Subject: fmt.Sprintf("Order %s needs attention: %s", a.OrderID, a.Step),
		Short: fmt.Sprintf("Order %s needs attention: %s has been broken since %s: %s",
			a.OrderID, a.Step, a.Since.UTC().Format(time.RFC3339), a.Error),
		Plain: words.String(),
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

// sentence turns a reason into a sentence that another can follow. An empty reason stays empty.
func sentence(reason string) string {
	reason = plain.Show(strings.TrimSpace(reason))
	if reason == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(reason)
	reason = string(unicode.ToUpper(first)) + reason[size:]
	if !strings.HasSuffix(reason, "!") && !strings.HasSuffix(reason, "?") {
		reason = strings.TrimSuffix(reason, ".") + "."
	}
	return reason + " "
}
