package gateway

import (
	"cmp"
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

// Rule asks for a fault. It applies to calls, or to payment events, that meet all its conditions; an empty condition is always
// met. Of all rules that apply to a call, the first strikes that is neither latency nor forget_refusal: these two come in
// addition. Latencies add up, to MaxLatency at most. docs/gateway-simulator.md lists all faults with examples.
type Rule struct {
	Fault Fault `json:"fault"`

	Operation     string   `json:"operation,omitempty"`     // one of Operations
	Event         string   `json:"event,omitempty"`         // for faults of events: one of Events
	OrderID       string   `json:"orderId,omitempty"`       // metadata[order_id] of the payment
	PaymentMethod string   `json:"paymentMethod,omitempty"` // for example pm_card_visa
	Rate          *float64 `json:"rate,omitempty"`          // probability, 0 to 1; absent: always
	Count         int      `json:"count,omitempty"`         // strikes this many times; 0: no limit

	DeclineCode   string `json:"declineCode,omitempty"`   // for decline; generic_decline when empty
	LatencyMS     int    `json:"latencyMs,omitempty"`     // for latency: milliseconds
	Code          string `json:"code,omitempty"`          // for refuse: the error's code; charge_not_refundable when empty
	Status        string `json:"status,omitempty"`        // for refund_status: the status that the refund begins with
	Then          string `json:"then,omitempty"`          // for refund_status: the one that it changes to by itself; empty: none
	FailureReason string `json:"failureReason,omitempty"` // for refund_status, if it fails; expired_or_canceled_card when empty
	AfterMS       int    `json:"afterMs,omitempty"`       // for event_late, and until then of refund_status: milliseconds

	Struck int `json:"struck"` // how many times it has struck; ignored on input
}

// Fault is a kind of misbehaviour.
type Fault string

// The faults of calls.
const (
	FaultLatency       Fault = "latency"        // the call takes effect later, even if the client has disconnected
	FaultDecline       Fault = "decline"        // confirm: the card is declined
	FaultErrorBefore   Fault = "error_before"   // 500, nothing happened, nothing stored: the same key may succeed later
	FaultErrorStored   Fault = "error_stored"   // 500, nothing happened, stored: the same key always returns 500
	FaultErrorAfter    Fault = "error_after"    // 500, but it happened; stored
	FaultConflict      Fault = "conflict"       // 409, as if the key were in use
	FaultRateLimit     Fault = "rate_limit"     // 429
	FaultDropResponse  Fault = "drop_response"  // it happened, but the connection is closed without a response
	FaultHang          Fault = "hang"           // it happened, but no response comes until the client gives up
	FaultReset         Fault = "reset"          // the connection is reset, nothing happened
	FaultOutage        Fault = "outage"         // 503, nothing happened
	FaultRefuse        Fault = "refuse"         // refund: 400 with the code, nothing happened; stored
	FaultRefundStatus  Fault = "refund_status"  // refund: it is accepted with the status, and may change later
	FaultForgetRefusal Fault = "forget_refusal" // a refusal is not stored: the same key may succeed later
)

// The faults of payment events.
const (
	FaultEventLost  Fault = "event_lost"  // it is never sent
	FaultEventTwice Fault = "event_twice" // it is sent again after it was delivered
	FaultEventLate  Fault = "event_late"  // it is sent later, after younger ones
)

// Operations are the calls that faults can be asked for.
var Operations = []string{
	"create", "confirm", "cancel", "retrieve", "list", "search", "refund", "refund_retrieve", "refund_list", "dispute_list",
	"dispute_retrieve", "dispute_update", "dispute_close",
}

// Faults are all faults.
var Faults = []Fault{
	FaultLatency, FaultDecline, FaultErrorBefore, FaultErrorStored, FaultErrorAfter, FaultConflict, FaultRateLimit,
	FaultDropResponse, FaultHang, FaultReset, FaultOutage, FaultRefuse, FaultRefundStatus, FaultForgetRefusal, FaultEventLost,
	FaultEventTwice, FaultEventLate,
}

// only is the operation that a fault is limited to, if it is.
var only = map[Fault]string{FaultDecline: "confirm", FaultRefuse: "refund", FaultRefundStatus: "refund"}

var refundStatuses = []string{refundPending, refundNeedsAction, succeeded, refundFailed, canceled}

// ofEvents reports whether the fault strikes events instead of calls.
func (f Fault) ofEvents() bool {
	return f == FaultEventLost || f == FaultEventTwice || f == FaultEventLate
}

// MaxLatency bounds a latency, and so how long it can delay a shutdown.
const MaxLatency = 15 * time.Second

const maxRules = 1000

// maxAfter bounds how much later something happens by itself.
const maxAfter = 7 * 24 * time.Hour

// Validate rejects rules that make no sense.
func (r Rule) Validate() error {
	switch limit := only[r.Fault]; {
	case !slices.Contains(Faults, r.Fault):
		return fmt.Errorf("fault %q: want one of %v", r.Fault, Faults)
	case r.Operation != "" && !slices.Contains(Operations, r.Operation):
		return fmt.Errorf("operation %q: want one of %v", r.Operation, Operations)
	case r.Operation != "" && (limit != "" && r.Operation != limit || r.Fault.ofEvents()):
		return fmt.Errorf("operation %q: fault %s does not strike it", r.Operation, r.Fault)
	case r.Event != "" && !r.Fault.ofEvents():
		return fmt.Errorf("event %q: fault %s strikes calls", r.Event, r.Fault)
	case r.Event != "" && !slices.Contains(Events, r.Event):
		return fmt.Errorf("event %q: want one of %v", r.Event, Events)
	case r.Rate != nil && !(*r.Rate >= 0 && *r.Rate <= 1):
		return fmt.Errorf("rate %g is not from 0 to 1", *r.Rate)
	case r.Count < 0:
		return fmt.Errorf("count %d is negative", r.Count)
	case r.Fault == FaultLatency && (r.LatencyMS < 1 || r.LatencyMS > int(MaxLatency.Milliseconds())):
		return fmt.Errorf("latencyMs %d is not from 1 to %d", r.LatencyMS, MaxLatency.Milliseconds())
	case r.AfterMS < 0 || r.AfterMS > int(maxAfter.Milliseconds()) || r.Fault == FaultEventLate && r.AfterMS == 0:
		return fmt.Errorf("afterMs %d is not from 1 to %d", r.AfterMS, maxAfter.Milliseconds())
	case r.Fault == FaultRefundStatus && !slices.Contains(refundStatuses, r.Status):
		return fmt.Errorf("status %q: want one of %v", r.Status, refundStatuses)
	case r.Then != "" && !(r.Fault == FaultRefundStatus && slices.Contains(refundStatuses, r.Then) &&
		(&refund{Status: r.Status}).mayBecome(r.Then)):
		return fmt.Errorf("then %q: a refund that is %s cannot become that", r.Then, r.Status)
	}
	return nil
}

// strike is what goes wrong with one call or event.
type strike struct {
	fault   Fault // "" if there is only latency
	latency time.Duration
	forget  bool // a refusal is not stored
	decline card
	refund  course        // of refund_status
	code    string        // of refuse
	after   time.Duration // of event_late
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
	return f.find(f.always, func(r *Rule) bool {
		return !r.Fault.ofEvents() && (r.Operation == "" || r.Operation == operation) &&
			(only[r.Fault] == "" || only[r.Fault] == operation) && r.holds(orderID, paymentMethod)
	})
}

// strikeEvent decides what goes wrong with an event of a payment.
func (f *faults) strikeEvent(kind string, i *intent) strike {
	method := ""
	if i.Method != nil {
		method = *i.Method
	}
	return f.find(0, func(r *Rule) bool {
		return r.Fault.ofEvents() && (r.Event == "" || r.Event == kind) && r.holds(i.Metadata["order_id"], method)
	})
}

// find adds up the rules that apply.
func (f *faults) find(latency time.Duration, applies func(*Rule) bool) strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := strike{latency: latency}
	for _, rules := range [][]Rule{f.rules, f.base} {
		for i := range rules {
			r := &rules[i]
			if s.fault != "" && r.Fault != FaultLatency && r.Fault != FaultForgetRefusal || !applies(r) {
				continue
			}
			r.Struck++
			s.add(*r)
		}
	}
	return s
}

// holds reports whether the conditions are met that calls and events have in common. It must be asked last, because of Rate.
func (r *Rule) holds(orderID, paymentMethod string) bool {
	return (r.OrderID == "" || r.OrderID == orderID) &&
		(r.PaymentMethod == "" || r.PaymentMethod == paymentMethod) &&
		(r.Count == 0 || r.Struck < r.Count) &&
		(r.Rate == nil || rand.Float64() < *r.Rate)
}

func (s *strike) add(r Rule) {
	after := time.Duration(r.AfterMS) * time.Millisecond
	switch r.Fault {
	case FaultLatency:
		s.latency = min(s.latency+time.Duration(r.LatencyMS)*time.Millisecond, MaxLatency)
		return
	case FaultForgetRefusal:
		s.forget = true
		return
	case FaultDecline:
		s.decline = declined("card_declined", cmp.Or(r.DeclineCode, "generic_decline"))
	case FaultRefuse:
		s.code = cmp.Or(r.Code, "charge_not_refundable")
	case FaultRefundStatus:
		s.refund = course{status: r.Status, then: r.Then, reason: cmp.Or(r.FailureReason, cardGone), after: after}
	case FaultEventLate:
		s.after = after
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
