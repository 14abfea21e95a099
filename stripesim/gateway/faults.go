package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Rule asks for a fault. It applies to calls that meet all its conditions; an empty condition is always met. Of all rules
// that apply to a call, the first that is not a latency strikes. Latencies add up, to MaxLatency at most.
type Rule struct {
	Fault Fault `json:"fault"`

	Operation     string   `json:"operation,omitempty"`     // one of Operations
	OrderID       string   `json:"orderId,omitempty"`       // metadata[order_id] of the payment
	PaymentMethod string   `json:"paymentMethod,omitempty"` // for example pm_card_visa
	Rate          *float64 `json:"rate,omitempty"`          // probability, 0 to 1; absent: always
	Count         int      `json:"count,omitempty"`         // strikes this many times; 0: no limit

	DeclineCode string `json:"declineCode,omitempty"` // for decline; generic_decline when empty
	LatencyMS   int    `json:"latencyMs,omitempty"`   // for latency: milliseconds

	Struck int `json:"struck"` // how many times it has struck; ignored on input
}

// Fault is a kind of misbehaviour.
type Fault string

// The faults.
const (
	FaultLatency      Fault = "latency"       // the call takes effect later, even if the client has disconnected
	FaultDecline      Fault = "decline"       // confirm: the card is declined
	FaultErrorBefore  Fault = "error_before"  // 500, nothing happened, nothing stored: the same key may succeed later
	FaultErrorStored  Fault = "error_stored"  // 500, nothing happened, stored: the same key always returns 500
	FaultErrorAfter   Fault = "error_after"   // 500, but it happened; stored
	FaultConflict     Fault = "conflict"      // 409, as if the key were in use
	FaultRateLimit    Fault = "rate_limit"    // 429
	FaultDropResponse Fault = "drop_response" // it happened and the response is stored, but the connection is closed instead
	FaultReset        Fault = "reset"         // the connection is reset, nothing happened
	FaultOutage       Fault = "outage"        // 503, nothing happened
)

// Operations are the calls that faults can be asked for.
var Operations = []string{"create", "confirm", "cancel", "retrieve", "list", "search", "refund"}

var knownFaults = []Fault{
	FaultLatency, FaultDecline, FaultErrorBefore, FaultErrorStored, FaultErrorAfter, FaultConflict, FaultRateLimit,
	FaultDropResponse, FaultReset, FaultOutage,
}

// MaxLatency bounds a latency, and so how long it can delay a shutdown.
const MaxLatency = 15 * time.Second

const maxRules = 1000

// Validate rejects rules that make no sense.
func (r Rule) Validate() error {
	switch {
	case !slices.Contains(knownFaults, r.Fault):
		return fmt.Errorf("fault %q: want one of %v", r.Fault, knownFaults)
	case r.Operation != "" && !slices.Contains(Operations, r.Operation):
		return fmt.Errorf("operation %q: want one of %v", r.Operation, Operations)
	case r.Fault == FaultDecline && r.Operation != "" && r.Operation != "confirm":
		return errors.New("only confirm can be declined")
	case r.Rate != nil && !(*r.Rate >= 0 && *r.Rate <= 1):
		return fmt.Errorf("rate %g is not from 0 to 1", *r.Rate)
	case r.Count < 0:
		return fmt.Errorf("count %d is negative", r.Count)
	case r.Fault == FaultLatency && (r.LatencyMS < 1 || r.LatencyMS > int(MaxLatency.Milliseconds())):
		return fmt.Errorf("latencyMs %d is not from 1 to %d", r.LatencyMS, MaxLatency.Milliseconds())
	}
	return nil
}

// strike is what goes wrong with one call.
type strike struct {
	fault   Fault // "" if there is only latency
	latency time.Duration
	decline card
}

// faults holds the rules, in memory: a restart removes them.
type faults struct {
	always time.Duration // latency of every call

	mu    sync.Mutex
	rules []Rule
	base  []Rule // from the configuration; they come after the rules and are never replaced
}

func newFaults(o Options) *faults {
	f := &faults{always: o.Latency}
	if o.DeclineRate > 0 {
		f.base = []Rule{{Fault: FaultDecline, Operation: "confirm", Rate: &o.DeclineRate}}
	}
	return f
}

func (f *faults) set(rules []Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = rules
}

func (f *faults) list() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Rule{}, f.rules...)
}

// any reports whether there is a rule at all.
func (f *faults) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rules)+len(f.base) > 0
}

// strike decides what goes wrong with a call.
func (f *faults) strike(operation, orderID, paymentMethod string) strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := strike{latency: f.always}
	for _, rules := range [][]Rule{f.rules, f.base} {
		for i := range rules {
			r := &rules[i]
			if s.fault != "" && r.Fault != FaultLatency || !r.holds(operation, orderID, paymentMethod) {
				continue
			}
			r.Struck++
			s.add(*r)
		}
	}
	return s
}

func (r *Rule) holds(operation, orderID, paymentMethod string) bool {
	return (r.Operation == "" || r.Operation == operation) &&
		(r.Fault != FaultDecline || operation == "confirm") &&
		(r.OrderID == "" || r.OrderID == orderID) &&
		(r.PaymentMethod == "" || r.PaymentMethod == paymentMethod) &&
		(r.Count == 0 || r.Struck < r.Count) &&
		(r.Rate == nil || rand.Float64() < *r.Rate)
}

func (s *strike) add(r Rule) {
	switch r.Fault {
	case FaultLatency:
		s.latency = min(s.latency+time.Duration(r.LatencyMS)*time.Millisecond, MaxLatency)
		return
	case FaultDecline:
		code := r.DeclineCode
		if code == "" {
			code = "generic_decline"
		}
		s.decline = declined("card_declined", code)
	}
	s.fault = r.Fault
}

// before returns the error that replaces the call, if any.
func (s strike) before() *apiError {
	switch s.fault {
	case FaultErrorBefore:
		return broken(false)
	case FaultConflict:
		return keyInUse()
	case FaultRateLimit:
		return &apiError{status: http.StatusTooManyRequests, body: errorBody{
			Type: "invalid_request_error", Code: "rate_limit", Message: "Too many requests hit the API too quickly.",
		}}
	case FaultOutage:
		return &apiError{status: http.StatusServiceUnavailable, body: errorBody{
			Type: "api_error", Message: "The service is temporarily unavailable.",
		}}
	}
	return nil
}

func (g *Gateway) getFaults(c *gin.Context) { c.JSON(http.StatusOK, g.faults.list()) }

func (g *Gateway) putFaults(c *gin.Context) {
	rules, err := readRules(c)
	if err != nil {
		writeError(c, invalid("", "", "Invalid faults: %v.", err))
		return
	}
	g.faults.set(rules)
	g.log.Info("faults replaced", "rules", len(rules))
	c.JSON(http.StatusOK, g.faults.list())
}

func readRules(c *gin.Context) ([]Rule, error) {
	decoder := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 1<<20))
	decoder.DisallowUnknownFields()
	var rules []Rule
	if err := decoder.Decode(&rules); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%d rules are more than %d", len(rules), maxRules)
	}
	for i := range rules {
		rules[i].Struck = 0
		if err := rules[i].Validate(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i, err)
		}
	}
	return rules, nil
}
