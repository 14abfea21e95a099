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

// The prefixes keep a hash for one purpose from equalling one for another. Clients rely on them: with other prefixes the
// same key would mean another order.
const (
	orderIDDomain = "ordersaga order ID 1"
	requestDomain = "ordersaga order request 1"
)

// orderID returns the ID of the order that a user places under a key. It is always the same for the two: a UUIDv8, made of
// their hash. Equal keys of different users mean different orders.
func orderID(userID int64, key string) order.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s", orderIDDomain, userID, key))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return order.ID(id.String())
}

// newOrderID returns the ID of an order without a key: a UUIDv7, so that new rows go to the end of the index.
func newOrderID() order.ID { return order.ID(uuid.Must(uuid.NewV7()).String()) }

// requestHash tells two different orders under the same key apart. It hashes what the client meant: white space and the
// order of members do not count, and the default payment method is not filled in.
func requestHash(o orderclient.NewOrder) string {
	canonical, err := json.Marshal(o)
	if err != nil {
		panic(err) // numbers and strings
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s", requestDomain, canonical))
	return hex.EncodeToString(sum[:])
}

// toRequest returns the saga's input.
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
