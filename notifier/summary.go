package notifier

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// summary is one line for the customer about a finished order. It returns an error for an unknown type of event and for an
// unknown currency.
func summary(e order.Event) (string, error) {
	switch {
	case e.Type == order.EventConfirmed:
		return confirmedSummary(e)
	case e.Type == order.EventCancelled && e.Status == order.Cancelled:
		return fmt.Sprintf("Your order %s was cancelled. %sYou pay nothing for it.", e.OrderID, sentence(e.Message)), nil
	case e.Type == order.EventCancelled:
		return fmt.Sprintf("We could not complete your order %s. %sYou pay nothing for it.", e.OrderID, sentence(e.Message)), nil
	}
	return "", fmt.Errorf("an event of the unknown type %q", e.Type)
}

func confirmedSummary(e order.Event) (string, error) {
	total, err := moneytext.Price(e.Total)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Thank you! Your order %s is confirmed: %s. You were charged %s.", e.OrderID, lines(e.Items), total), nil
}

// lines lists what was bought, for example "2 × Espresso cup, 1 × Tamper".
func lines(items []order.Line) string {
	words := make([]string, len(items))
	for i, l := range items {
		words[i] = fmt.Sprintf("%d × %s", l.Quantity, name(l))
	}
	return strings.Join(words, ", ")
}

func name(l order.Line) string {
	if l.Name == "" {
		return l.ProductID
	}
	return l.Name
}

// sentence turns a reason into a sentence that another can follow. An empty reason stays empty.
func sentence(reason string) string {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(reason)
	reason = string(unicode.ToUpper(first)) + reason[size:]
	return strings.TrimSuffix(reason, ".") + ". "
}
