package catalog

import (
	"context"
	"log/slog"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

const (
	openHolds    = "catalog.holds"
	overdueHolds = "catalog.holds.overdue"
)

// showHolds shows how many reservations hold stock until the caller calls stop.
func showHolds(store *mongodb.Store, log *slog.Logger) (stop func(), err error) {
	return telemetry.Observe("catalog", log, []telemetry.Gauge{
		{Name: openHolds, Help: "Reservations that hold stock."},
		{Name: overdueHolds, Help: "Reservations that hold stock although they have expired: the sweeper is to end them."},
	}, func(ctx context.Context) ([]telemetry.Reading, error) {
		open, overdue, err := store.Holds(ctx)
		return []telemetry.Reading{{Gauge: openHolds, Value: float64(open)}, {Gauge: overdueHolds, Value: float64(overdue)}}, err
	})
}
