package stock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// busy is a store that changes right after its reservations were read.
type busy struct {
	*memorytest.Store
	times   int
	between func(n int)
}

func (b *busy) Reservations(ctx context.Context, ids []string, since time.Time, yield func(stock.Reservation) error) error {
	if err := b.Store.Reservations(ctx, ids, since, yield); err != nil {
		return err
	}
	if b.times > 0 {
		b.times--
		b.between(b.times)
	}
	return nil
}

// The marks of these returns are newer than what the audit has read. Each of its two attempts is disturbed alike, so that
// the second would confirm what the first found.
func TestAnAuditIsNotMisledByReturnsThatComeWhileItReads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, released := range map[string]bool{"sold": false, "released": true} {
		store := memorytest.New()
		if err := store.CreateProduct(ctx, product.Product{ID: "lamp", Stock: 10}); err != nil {
			t.Fatal(err)
		}
		service := stock.New(store, stock.Options{})
		for n := range 2 {
			order := fmt.Sprint("order", n)
			_, err := service.Reserve(ctx, order, []stock.Line{{ProductID: "lamp", Quantity: 5}}, time.Now().Add(time.Hour))
			if err == nil {
				_, err = service.Commit(ctx, order)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		back := func(n int) {
			order := fmt.Sprint("order", n)
			_, err := service.Return(ctx, order, "return", []stock.ReturnLine{{ProductID: "lamp", Quantity: 2, WriteOff: 1}})
			if err == nil && released {
				_, err = service.Release(ctx, order)
			}
			if err != nil {
				t.Error(err)
			}
		}
		found, err := stock.New(&busy{store, 2, back}, stock.Options{}).Audit(ctx)
		if diff := cmp.Diff(stock.Findings{Products: 1}, found, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAnAuditIsNotMisledByOrdersThatComeAndArePrunedWhileItReads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := memorytest.New()
	if err := store.CreateProduct(ctx, product.Product{ID: "lamp", Stock: 1000}); err != nil {
		t.Fatal(err)
	}
	service := stock.New(store, stock.Options{})
	order := func(n int) {
		id := fmt.Sprintf("order%d", n)
		_, err := service.Reserve(ctx, id, []stock.Line{{ProductID: "lamp", Quantity: 1}}, time.Now().Add(time.Hour))
		if err == nil {
			_, err = service.Commit(ctx, id)
		}
		if err == nil {
			err = service.Prune(ctx, "lamp")
		}
		if err != nil {
			t.Error(err)
		}
	}
	for times, want := range map[int]stock.Findings{
		0:  {Products: 1},
		5:  {Products: 1},
		50: {Products: 1, Undecided: []string{"lamp"}}, // it gives up, and reports that
	} {
		audited := &busy{store, times, func(n int) { order(times*100 + n) }}
		found, err := stock.New(audited, stock.Options{}).Audit(ctx)
		if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%d concurrent orders: %v (-want +got):\n%s", times, err, diff)
		}
	}
}
