package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
)

// Confirm and Close are a pivot and a fence, so they pass the suite for any pivot and fence.

func TestOrdersHaveAPivotAndAFence(t *testing.T) {
	t.Parallel()
	participanttest.PivotAndFence(t, pivotAndFence(postgres.NewOrders(migrated(t))))
}

func TestMemoryHasAPivotAndAFence(t *testing.T) {
	t.Parallel()
	participanttest.PivotAndFence(t, pivotAndFence(ordertest.NewMemory(time.Now)))
}

func pivotAndFence(s store) participanttest.Decision {
	of := func(saga string) order.Order {
		o := ordertest.NewOrder(1)
		o.ID = order.ID(uuid.NewSHA1(uuid.Nil, []byte(saga)).String())
		return o
	}
	return participanttest.Decision{
		Pivot: func(ctx context.Context, saga string) (participant.Verdict, error) {
			if _, err := s.Create(ctx, of(saga)); err != nil {
				return 0, err
			}
			return verdict(s.Confirm(ctx, of(saga).ID, "pi_1", nil))
		},
		Fence: func(ctx context.Context, saga string) (participant.Verdict, error) {
			return verdict(s.Close(ctx, of(saga).Request(), cancelled, nil))
		},
		Finish: func(ctx context.Context, saga string) (participant.Verdict, error) {
			return verdict(s.Finish(ctx, of(saga).ID, nil))
		},
	}
}

// verdict is what an order's row says.
func verdict(o order.Order, err error) (participant.Verdict, error) {
	switch {
	case err != nil:
		return 0, err
	case o.Status == order.Confirmed:
		return participant.Forward, nil
	case o.Status != order.Pending:
		return participant.Ended, nil
	case o.Closing:
		return participant.Backward, nil
	}
	return 0, fmt.Errorf("order %s is undecided: %w", o.ID, participant.ErrNotFenced)
}
