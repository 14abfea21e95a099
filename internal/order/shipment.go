package order

import "time"

// ShipmentID identifies a shipment: the row, the workflow ("ship-" + ID) and the messages. It is a UUID in its canonical
// lower-case text form.
type ShipmentID string

// WorkflowID is the ID of the workflow that announces the shipment.
func (id ShipmentID) WorkflowID() string { return "ship-" + string(id) }

// ShipmentStatus is where a shipment stands. It only climbs: DELIVERED and LOST are final.
type ShipmentStatus string

// The statuses of a shipment.
const (
	Shipped         ShipmentStatus = "SHIPPED"
	Delivered       ShipmentStatus = "DELIVERED"
	LostInTransit   ShipmentStatus = "LOST"
	ShipmentRefused ShipmentStatus = "REFUSED" // by the books; nothing was shipped
)

// ShipmentItem is how many units of a line are in a shipment.
type ShipmentItem struct {
	Line     int `json:"line"` // of the order; counts from 1
	Quantity int `json:"quantity"`
}

// ShipmentRequest is a shipment as an operator records it: the input of the ShipOrder workflow. Its JSON is part of recorded
// histories.
type ShipmentRequest struct {
	ID       ShipmentID     `json:"id"`
	OrderID  ID             `json:"orderId"`
	Items    []ShipmentItem `json:"items"`
	Carrier  string         `json:"carrier,omitempty"`
	Tracking string         `json:"tracking,omitempty"`
	Subject  string         `json:"subject,omitempty"` // the token's subject, when there is one
	Hash     string         `json:"hash"`
}

// ShipmentLine is what a shipment holds of a line of the order. It never changes.
type ShipmentLine struct {
	Line      int    `json:"line"`
	ProductID string `json:"productId"`
	Name      string `json:"name"`
	Quantity  int    `json:"quantity"`
}

// Shipment is a shipment as it is stored.
type Shipment struct {
	ID          ShipmentID     `json:"id"`
	OrderID     ID             `json:"orderId"`
	UserID      int64          `json:"userId"` // the order's
	Status      ShipmentStatus `json:"status"`
	Cause       *RefundCause   `json:"cause,omitempty"` // of REFUSED: QUANTITY_TOO_LARGE or ORDER_NOT_CONFIRMED, by the books
	Lines       []ShipmentLine `json:"lines"`
	Carrier     string         `json:"carrier,omitempty"`
	Tracking    string         `json:"tracking,omitempty"`
	Subject     string         `json:"subject,omitempty"`
	Hash        string         `json:"hash"`
	Settled     bool           `json:"settled"` // announced as it is
	Version     int64          `json:"version"`
	ShippedAt   time.Time      `json:"shippedAt"`
	DeliveredAt time.Time      `json:"deliveredAt,omitzero"`
	LostAt      time.Time      `json:"lostAt,omitzero"`
	UpdatedAt   time.Time      `json:"updatedAt"`
}

// Request returns the request that the shipment was made from.
func (s Shipment) Request() ShipmentRequest {
	items := make([]ShipmentItem, len(s.Lines))
	for i, l := range s.Lines {
		items[i] = ShipmentItem{Line: l.Line, Quantity: l.Quantity}
	}
	return ShipmentRequest{
		ID: s.ID, OrderID: s.OrderID, Items: items, Carrier: s.Carrier, Tracking: s.Tracking, Subject: s.Subject, Hash: s.Hash,
	}
}
