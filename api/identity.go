package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The prefixes keep a hash for one purpose from equalling one for another. Clients rely on them: with other prefixes the
// same key would mean another order.
const (
	orderIDDomain        = "ordersaga order ID 1"
	requestDomain        = "ordersaga order request 1"
	refundIDDomain       = "ordersaga refund ID 1"
	refundRequestDomain  = "ordersaga refund request 1"
	cancellationIDDomain = "ordersaga cancellation ID 1"
)

// orderID returns the ID of the order that a user places under a key. It is always the same for the two: a UUIDv8, made of
// their hash. Equal keys of different users mean different orders.
func orderID(userID int64, key string) order.ID {
	return order.ID(hashedID(orderIDDomain, strconv.FormatInt(userID, 10), key))
}

// refundID returns the ID of the refund that is asked for under a key, in the same way. Equal keys for different orders mean
// different refunds.
func refundID(id order.ID, key string) order.RefundID {
	return order.RefundID(hashedID(refundIDDomain, string(id), key))
}

// cancellationID returns the ID of the refund by which a confirmed order is cancelled. It needs no key: there is one at most.
func cancellationID(id order.ID) order.RefundID {
	return order.RefundID(hashedID(cancellationIDDomain, string(id)))
}

// hashedID returns a UUIDv8 that is made of the hash of the parts.
func hashedID(domain string, parts ...string) string {
	sum := sha256.Sum256([]byte(domain + "\x00" + strings.Join(parts, "\x00")))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id.String()
}

// newOrderID returns the ID of an order without a key: a UUIDv7, so that new rows go to the end of the index.
func newOrderID() order.ID { return order.ID(uuid.Must(uuid.NewV7()).String()) }

// requestHash tells two different requests under the same key apart. It hashes what the client meant: white space and the
// order of members do not count, and defaults are not filled in.
func requestHash(domain string, body any) string {
	canonical, err := json.Marshal(body)
	if err != nil {
		panic(err) // numbers and strings
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s", domain, canonical))
	return hex.EncodeToString(sum[:])
}

// toRequest returns the saga's input.
func toRequest(o orderclient.NewOrder, key, defaultPaymentMethod string) order.Request {
	req := order.Request{
		ID: newOrderID(), UserID: o.UserID, Items: make([]order.Item, len(o.Items)),
		PaymentMethod: o.PaymentMethod, Hash: requestHash(requestDomain, o),
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
