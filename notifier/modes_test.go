package notifier

import (
	"errors"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestTheOutboxWorksHoweverStatementsAreSent(t *testing.T) {
	t.Parallel()
	for _, mode := range servicestest.OtherExecModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newStoreAt(t, servicestest.InExecMode(servicestest.Postgres(t), mode))
			setContact(t, s, contact{Email: "a@shop.test", WebhookURL: "https://shop.test/hook", WebhookSecret: webhookSecret})
			n := newNotifier(s, discard())
			e := event(1, order.Failed)
			for range 2 {
				batch := append(messages(t, e, event(2, order.Confirmed)), refundMessages(t, order.RefundPending)...)
				if err := n.handle(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			if notes, err := s.ofOrder(t.Context(), e.OrderID); err != nil || len(notes) != 2 { // its end, and a refund
				t.Errorf("notifications %+v (%v)", notes, err)
			}
			claim := func() *claimed {
				d, err := s.claim(t.Context(), time.Hour)
				if err != nil || d == nil {
					t.Fatalf("claim: %v, %v", d, err)
				}
				return d
			}
			for _, settle := range []func(*claimed) error{
				func(d *claimed) error { return s.sent(t.Context(), d) },
				func(d *claimed) error { return s.giveUp(t.Context(), d, errors.New("gone")) },
				func(d *claimed) error { return s.again(t.Context(), d, errors.New("it's down"), time.Hour) },
			} {
				if err := settle(claim()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
