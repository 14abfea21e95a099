package api

import (
	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// paymentMethodPattern is the pattern of orderclient.NewOrder.PaymentMethod, a reference of the payment gateway. It keeps
// card numbers out of histories and logs.
const paymentMethodPattern = `^pm_[A-Za-z0-9_]{1,250}$`

// toWire shows an order to a client.
func toWire(o order.Order) orderclient.Order {
	w := orderclient.Order{
		ID: string(o.ID), UserID: o.UserID, Status: orderclient.Status(o.Status), Items: make([]orderclient.Line, len(o.Items)),
		Total: toMoney(o.Total), CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
	}
	for i, l := range o.Items {
		w.Items[i] = orderclient.Line{
			ProductID: l.ProductID, Name: l.Name, Quantity: l.Quantity, Price: toMoney(l.Price),
			Returned: l.Returned, Shipped: l.Shipped, Delivered: l.Delivered,
		}
	}
	if o.Status == order.Confirmed {
		w.Refunded = toMoney(o.Refunded)
		w.GivenBack, w.Fulfilment = orderclient.Part(o.GivenBack()), orderclient.Part(o.Fulfilment())
	}
	if o.Cause != nil {
		w.Reason, w.Message = string(o.Cause.Reason), o.Cause.Message
	}
	return w
}

// toMoney shows an amount. Zero means: not priced yet.
func toMoney(m money.Money) *orderclient.Money {
	if m.IsZero() {
		return nil
	}
	return &orderclient.Money{Amount: m.Amount, Currency: m.Currency}
}

// toEntry shows a timeline entry. Only operators see its details.
func toEntry(e order.Entry, details bool) orderclient.Entry {
	w := orderclient.Entry{Type: string(e.Type), At: e.At.UTC(), Step: e.Step}
	if details {
		w.Detail = e.Detail
	}
	return w
}
