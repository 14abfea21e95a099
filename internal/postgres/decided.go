package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Decided returns those of the orders with a known end: final, or closing with a cause. The others are left out, whether
// PENDING or without a row. It is one statement, and reads the lines only of the orders that it returns, so it can be
// called often.
func (s *Orders) Decided(ctx context.Context, ids []order.ID) ([]order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, selectDecided, ids)
	if err != nil {
		return nil, fmt.Errorf("read how %d orders end: %w", len(ids), err)
	}
	orders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (order.Order, error) { return scanOrder(row) })
	if err != nil {
		return nil, fmt.Errorf("read how %d orders end: %w", len(ids), err)
	}
	return orders, nil
}

const selectDecided = selectOrders + ` WHERE o.id = ANY($1::uuid[]) AND (o.status <> 'PENDING' OR o.closing)`
