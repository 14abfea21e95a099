package stock

import (
	"context"
	"time"
)

// Ledger is what an audit reads, besides what the protocol needs of a store.
type Ledger interface {
	Store
	// ProductIDs returns the IDs of up to limit products that come after the one given, in order, deleted ones too.
	ProductIDs(ctx context.Context, after string, limit int) ([]string, error)
	// Snapshots returns products, each read at one moment. Products that never existed are missing.
	Snapshots(ctx context.Context, productIDs []string) (map[string]Snapshot, error)
	// Wanting calls yield with every reservation that has one of the products in its lines and was changed at or after
	// since, in no order. One that changes meanwhile may come as it was or as it is. An error of yield ends it.
	Wanting(ctx context.Context, productIDs []string, since time.Time, yield func(Reservation) error) error
}

// Snapshot is a product at one moment.
type Snapshot struct {
	Counters
	Epoch    int64
	Standing map[string]Mark // by reservation
}
