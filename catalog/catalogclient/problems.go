package catalogclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The types of problems that callers may want to tell apart. GET /problems of the catalog explains all types.
const (
	ProductNotFound     = "/problems/product-not-found"
	ProductExists       = "/problems/product-exists"
	ProductChanged      = "/problems/product-changed"
	IfMatchRequired     = "/problems/if-match-required"
	ProductHasHolds     = "/problems/product-has-holds"
	OutOfStock          = "/problems/out-of-stock"
	ReservationNotFound = "/problems/reservation-not-found"
	ReservationConflict = "/problems/reservation-conflict"
	ReservationReleased = "/problems/reservation-released"
	ReservationExpired  = "/problems/reservation-expired"
	ReservationNotSold  = "/problems/reservation-not-sold"
	ReturnConflict      = "/problems/return-conflict"
	ReturnTooLarge      = "/problems/return-too-large"
	KeyReused           = "/problems/idempotency-key-reused"
	StoreUnavailable    = "/problems/store-unavailable"
)

// Problem is an error response (RFC 9457).
type Problem struct {
	Type     string  `json:"type"` // see the constants
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"` // the request's ID: quote it when you ask for help
	Errors   []Field `json:"errors"`   // what is wrong with the request

	ProductIDs []string   `json:"productIds"` // ProductNotFound: every unknown product
	Shortages  []Shortage `json:"shortages"`  // OutOfStock: every product that is short
	Excesses   []Excess   `json:"excesses"`   // ReturnTooLarge: every product with too many units
	State      string     `json:"state"`      // ReservationNotSold: the reservation's state
}

// Field is one mistake in a request. One of Pointer (into the body), Parameter and Header says where it is.
type Field struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Header    string `json:"header"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

// problem decodes the body. A response that is not a problem, such as a proxy's, becomes one without a type.
func (r response) problem() *Problem {
	p := &Problem{}
	isProblem := strings.HasPrefix(r.header.Get("Content-Type"), "application/problem+json")
	if !isProblem || json.Unmarshal(r.body, p) != nil {
		p = &Problem{Detail: http.StatusText(r.status)}
	}
	p.Status = r.status
	return p
}
