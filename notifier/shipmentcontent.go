package notifier

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/plain"
)

// shipmentContent is what the customer reads about a shipment. It returns an error for an unknown type of event.
func shipmentContent(e order.ShipmentEvent, body []byte) (content, error) {
	p := page{OrderID: e.OrderID}
	what := "is on its way"
	switch e.Type {
	case order.EventShipped:
	case order.EventDelivered:
		what = "was delivered"
	default:
		return content{}, fmt.Errorf("an event of the unknown type %q", e.Type)
	}
	for _, l := range e.Lines {
		p.Lines = append(p.Lines, row{Name: plain.Show(cmp.Or(l.Name, l.ProductID)), Quantity: l.Quantity})
	}
	if e.Carrier != "" {
		p.Outro = "Carrier: " + plain.Show(e.Carrier) + ". "
	}
	if e.Tracking != "" {
		p.Outro += "Tracking number: " + plain.Show(e.Tracking) // without a full stop: people copy it
	}
	p.Outro = strings.TrimSpace(p.Outro)
	p.Title = fmt.Sprintf("A shipment of your order %s %s", e.OrderID, what)
	p.Intro = "A shipment of your order " + what + "."
	p.Short = strings.TrimSpace(fmt.Sprintf("%s: %s. %s", p.Title, p.words(), p.Outro))
	return p.content(e.Type, e.OccurredAt, body)
}
