package notifier

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// shortText is in one line what the customer reads about the end of an order. It fails for events of unknown types and for
// amounts in no known currency.
func shortText(e order.Event) (string, error) {
	switch {
	case e.Type == order.EventConfirmed:
		return confirmedText(e)
	case e.Type == order.EventCancelled && e.Status == order.Cancelled:
		return fmt.Sprintf("Your order %s was cancelled. %sYou pay nothing for it.", e.OrderID, sentence(e.Message)), nil
	case e.Type == order.EventCancelled:
		return fmt.Sprintf("We could not complete your order %s. %sYou pay nothing for it.", e.OrderID, sentence(e.Message)), nil
	}
	return "", fmt.Errorf("no words for an event of type %q", e.Type)
}

func confirmedText(e order.Event) (string, error) {
	total, err := moneytext.Price(e.Total)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Thank you! Your order %s is confirmed: %s. You were charged %s.", e.OrderID, lines(e.Items), total), nil
}

// lines lists what was bought, as in "2 × Espresso cup, 1 × Tamper".
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

// sentence makes a reason into a sentence before the next one; nothing stays nothing.
func sentence(reason string) string {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(reason)
	reason = string(unicode.ToUpper(first)) + reason[size:]
	return strings.TrimSuffix(reason, ".") + ". "
}
