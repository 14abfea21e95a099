package notifier

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/plain"
)

// refundContent is what the customer reads about a refund. It returns an error for an unknown type of event and for an
// unknown currency.
func refundContent(e order.RefundEvent, body []byte) (content, error) {
	p, err := refundPage(e)
	if err != nil {
		return content{}, err
	}
	return p.content(e.Type, e.OccurredAt, body)
}

func refundPage(e order.RefundEvent) (p page, err error) {
	p.OrderID, p.TotalOf = e.OrderID, "Refund"
	withMoney := e.Money != order.NoMoney && (e.Type != order.EventRefundRefused || !e.Amount.IsZero())
	if withMoney {
		if p.Total, err = moneytext.Price(e.Amount); err != nil {
			return p, err
		}
	}
	for _, l := range e.Lines {
		r := row{Name: plain.Show(cmp.Or(l.Name, l.ProductID)), Quantity: l.Quantity}
		if withMoney {
			if r.Sum, err = moneytext.Price(l.Value); err != nil {
				return p, err
			}
		}
		p.Lines = append(p.Lines, r)
	}
	switch e.Type {
	case order.EventRefunded:
		p.refunded(e)
	case order.EventRefundRefused:
		p.notRefunded(e, "We could not make", "No money was moved. The shop has been told.")
	case order.EventRefundFailed:
		outro := "You are still owed it, and the shop has been told."
		if e.Kind == order.Outside {
			outro = "The shop has been told." // it may have cancelled the refund itself
		}
		p.notRefunded(e, "The bank did not take", outro)
	default:
		return p, fmt.Errorf("an event of the unknown type %q", e.Type)
	}
	return p, nil
}

// refunded says what the customer gets back, and how.
func (p *page) refunded(e order.RefundEvent) {
	done := "returned"
	if e.Kind == order.Cancellation {
		done = "cancelled"
	}
	p.Title = fmt.Sprintf("A refund of %s for your order %s", p.Total, e.OrderID)
	intro := fmt.Sprintf("You get %s back for your order. ", p.Total)
	switch e.Money {
	case order.ThroughGateway:
		p.Outro = "The money goes back to what you paid with. Your bank may need some days to show it."
	case order.NoMoney:
		p.Title = fmt.Sprintf("Items of your order %s were %s", e.OrderID, done)
		intro, p.Outro = "", "What you paid does not change."
	default:
		p.Outro = "You get the money in another way than you paid."
	}
	why := sentence(e.Message)
	p.Short = p.Title + ". " + why + p.Outro
	if len(p.Lines) > 0 {
		p.Short = fmt.Sprintf("%s. %s: %s. %s%s", p.Title, strings.ToUpper(done[:1])+done[1:], p.words(), why, p.Outro)
		intro += "The items below were " + done + ". "
	}
	p.Intro = strings.TrimSpace(intro + why)
}

// notRefunded says which refund the customer does not get, and why.
func (p *page) notRefunded(e order.RefundEvent, what, outro string) {
	refund := "the refund"
	if p.Total != "" {
		refund += " of " + p.Total
	}
	why := sentence(e.Message)
	p.Title = fmt.Sprintf("%s %s for your order %s", what, refund, e.OrderID)
	p.Intro = strings.TrimSpace(fmt.Sprintf("%s %s for your order. %s", what, refund, why))
	p.Outro = outro
	p.Short = p.Title + ". " + why + outro
	if len(p.Lines) > 0 {
		p.Short = fmt.Sprintf("%s. It was for %s. %s%s", p.Title, p.words(), why, outro)
	}
}

// refundAlertContent is what operators read about a refund that did not reach the customer.
func refundAlertContent(e order.RefundEvent, body []byte) (content, error) {
	alert := struct {
		order.RefundEvent
		What, Why, Total, Advice string
	}{
		RefundEvent: e,
		What:        "was refused",
		Why:         fmt.Sprintf("%s: %s", e.Reason, plain.Show(e.Message)),
		Total:       moneytext.Plain(e.Amount),
		Advice:      "No money was moved, and no units were taken back. The customer is told so.",
	}
	if e.Type == order.EventRefundFailed {
		alert.What = "failed"
		alert.Advice = fmt.Sprintf("The gateway had accepted it, and the money came back. The customer is owed it: a new refund of "+
			"the order with\n\"replaces\": %q makes it good.", e.RefundID)
		if e.Kind == order.Outside {
			alert.Advice = "It was made at the gateway, and failed or was cancelled there. If the customer is owed the money, make a " +
				"new refund."
		}
	}
	var words bytes.Buffer
	if err := refundText.Execute(&words, alert); err != nil {
		return content{}, err
	}
	c := content{
		Subject: fmt.Sprintf("Refund %s of order %s %s", e.RefundID, e.OrderID, alert.What),
		Plain:   words.String(),
	}
	c.Short = fmt.Sprintf("%s (%s): %s", c.Subject, alert.Total, alert.Why)
	var err error
	c.Payload, err = payload(e.Type, e.OccurredAt, body)
	return c, err
}
