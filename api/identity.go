package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The prefixes keep hashes for one purpose from ever being equal to hashes for another. They are part of what clients
// rely on: with other prefixes the same key would mean another order.
const (
	orderIDDomain = "ordersaga order ID 1"
	requestDomain = "ordersaga order request 1"
)

// orderID is the ID of the order that a user places under a key: always the same for both (a UUIDv8, which is made from
// a hash). Keys of different users have nothing to do with each other.
func orderID(userID int64, key string) order.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s", orderIDDomain, userID, key))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return order.ID(id.String())
}

// newOrderID is the ID of an order without a key: a UUIDv7, so that new rows go to the end of the index.
func newOrderID() order.ID { return order.ID(uuid.Must(uuid.NewV7()).String()) }

// requestHash tells one order from another under the same key. White space and the sequence of members do not count, and
// neither does which payment method is the default: it hashes what the client meant.
func requestHash(o orderclient.NewOrder) string {
	canonical, err := json.Marshal(o)
	if err != nil {
		panic(err) // numbers and strings
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s", requestDomain, canonical))
	return hex.EncodeToString(sum[:])
}

// toRequest is the order as its saga gets it.
func toRequest(o orderclient.NewOrder, key, defaultPaymentMethod string) order.Request {
	req := order.Request{
		ID: newOrderID(), UserID: o.UserID, Items: make([]order.Item, len(o.Items)),
		PaymentMethod: o.PaymentMethod, Hash: requestHash(o),
	}
	if key != "" {
		req.ID = orderID(o.UserID, key)
	}
	for i, it := range o.Items {
		req.Items[i] = order.Item{ProductID: it.ProductID, Quantity: it.Quantity}
	}
	if req.PaymentMethod == "" {
		req.PaymentMethod = defaultPaymentMethod
	}
	return req
}
