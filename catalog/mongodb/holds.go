package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Holds returns how many reservations hold stock, and how many of these have expired. Both counts come from an index.
func (s *Store) Holds(ctx context.Context) (open, overdue int64, err error) {
	holding := bson.M{"state": in(stock.Expiring())}
	if open, err = s.foundReservations.CountDocuments(ctx, holding); err == nil {
		holding["expiresAt"] = bson.M{"$lte": time.Now()}
		overdue, err = s.foundReservations.CountDocuments(ctx, holding)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count the holds: %w", err)
	}
	return open, overdue, nil
}
