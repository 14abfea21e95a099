package activities

import (
	"context"

	"github.com/ordersaga/ordersaga/internal/order"
)

// ShipmentEvents announces shipments.
type ShipmentEvents interface {
	// PublishShipment returns only when the broker has taken responsibility for the event. Publishing it again is harmless.
	PublishShipment(ctx context.Context, e order.ShipmentEvent) error
}

// Shipping holds the steps of ShipOrder. All fields must be set.
type Shipping struct {
	Shipments Shipments
	Events    ShipmentEvents
}

// ShipLines is the pivot: it records the shipment, or that the books refuse it. The row says which. Safe to repeat: the ID is
// the primary key, and an existing row is returned unchanged.
func (s *Shipping) ShipLines(ctx context.Context, in order.ShipmentRequest) (order.Shipment, error) {
	row, err := s.Shipments.Ship(ctx, in)
	return row, translate(err, "record shipment %s of order %s", in.ID, in.OrderID)
}

// PublishShipment announces the shipment. Safe to repeat: the message ID is the same each time.
func (s *Shipping) PublishShipment(ctx context.Context, in order.ShipmentEvent) error {
	return translate(s.Events.PublishShipment(ctx, in), "publish %s of shipment %s", in.Type, in.ShipmentID)
}

// FinishShipmentInput names the version of the shipment that was announced.
type FinishShipmentInput struct {
	ShipmentID order.ShipmentID `json:"shipmentId"`
	Version    int64            `json:"version"`
}

// FinishShipment brings the shipment to rest unless it has changed since it was announced. The row says which. Safe to repeat.
func (s *Shipping) FinishShipment(ctx context.Context, in FinishShipmentInput) (order.Shipment, error) {
	row, err := s.Shipments.FinishShipment(ctx, in.ShipmentID, in.Version)
	return row, translate(err, "finish shipment %s", in.ShipmentID)
}
