package e2e

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ordersaga/ordersaga/api/orderclient"
)

// Fifty operators give back 60 % of one order at once. One of them can.
func TestOneOfManyRefundsThatDoNotFitTogetherIsMade(t *testing.T) {
	s := newSystem(t)
	o, err := s.client.Place(t.Context(), newOrder(visa, lamp, 5))
	if err != nil || o.Status != orderclient.Confirmed {
		t.Fatalf("placed %+v, %v", o, err)
	}
	most := orderclient.NewRefund{Kind: orderclient.Return, Lines: []orderclient.RefundItem{{Line: 1, Quantity: 3}}}
	var made atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := s.client.Refund(t.Context(), o.ID, most)
			var p *orderclient.Problem
			switch {
			case err == nil:
				made.Add(1)
			case !errors.As(err, &p) || p.Type != orderclient.QuantityTooLarge || len(p.Lines) != 1 || p.Lines[0].Left != 2:
				t.Errorf("got %v, want that two units are left", err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("%d refunds were made, want 1", made.Load())
	}
	eventually(t, "three of five units are given back", func(context.Context) bool {
		now := s.order(o.ID)
		return now.GivenBack == orderclient.PartSome && now.Items[0].Returned == 3 && now.Refunded.Amount*5 == now.Total.Amount*3
	})
	s.keepsPromises(o.ID) // the money, the units in the catalog and the messages
}
