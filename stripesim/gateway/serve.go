package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
)

const (
	maxBody     = 64 << 10         // of a request, bytes
	callTimeout = 10 * time.Second // for the database's part of a call
)

// endpoint is one call of the API.
type endpoint struct {
	operation string   // one of Operations
	params    []string // that it knows, without brackets
	run       func(*call) (any, error)
}

// call is a request being handled.
type call struct {
	context.Context
	tx      pgx.Tx
	now     time.Time
	id      string // of the object in the path, or ""
	params  url.Values
	strike  strike
	gateway *Gateway
}

// serve adds to an endpoint what all calls have in common: parameters, idempotency, faults and the response.
func (g *Gateway) serve(e endpoint) gin.HandlerFunc {
	return func(c *gin.Context) {
		params, problem := readParams(c, e.params)
		key := idempotencyKey(c)
		if problem == nil && len(key) > maxKeyLength {
			problem = invalid("", "", "Idempotency keys have at most %d characters.", maxKeyLength)
		}
		if problem != nil {
			writeError(c, problem)
			return
		}
		if key != "" {
			if _, taken := g.running.LoadOrStore(key, true); taken {
				writeError(c, keyInUse())
				return
			}
			defer g.running.Delete(key)
		}
		// A client that disconnects does not stop its call.
		ctx := context.WithoutCancel(c.Request.Context())
		g.perform(ctx, c, e, key, params)
	}
}

// perform runs the call, with the faults that strike it.
func (g *Gateway) perform(ctx context.Context, c *gin.Context, e endpoint, key string, params url.Values) {
	s := g.strikeOf(ctx, e, c.Param("id"), params)
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var r response
	if s.fault != FaultReset {
		r = g.response(ctx, c, e, s, key, params)
	}
	g.report(c, e, s, r)
	switch s.fault {
	case FaultHang:
		select {
		case <-c.Request.Context().Done():
		case <-time.After(MaxLatency):
		}
		hangUp(c, false)
	case FaultReset, FaultDropResponse:
		hangUp(c, s.fault == FaultReset)
	default:
		g.write(c, r, key)
	}
}

// response runs the call, or finds the stored response. A failure of the simulator itself becomes a 500.
func (g *Gateway) response(ctx context.Context, c *gin.Context, e endpoint, s strike, key string, params url.Values) response {
	if early := s.before(); early != nil {
		return early.response()
	}
	print := fingerprint(c.Request.Method, c.Request.URL.Path, params)
	r, err := g.once(ctx, key, print, func(tx pgx.Tx) (response, bool, error) {
		return e.effect(&call{
			Context: ctx, gateway: g, tx: tx, now: g.now(), id: c.Param("id"), params: params, strike: s,
		})
	})
	if problem := (*apiError)(nil); errors.As(err, &problem) {
		return problem.response()
	}
	if err != nil {
		g.log.Error("a call failed", "operation", e.operation, "error", err.Error())
		return broken(false).response()
	}
	return r
}

// effect runs the endpoint and returns its response, and whether to store that (with the effect).
func (e endpoint) effect(c *call) (r response, store bool, err error) {
	if c.strike.fault == FaultErrorStored {
		return broken(true).response(), true, nil
	}
	object, err := e.run(c)
	var problem *apiError
	if err != nil && !errors.As(err, &problem) {
		return response{}, false, fmt.Errorf("%s: %w", e.operation, err)
	}
	if c.strike.fault == FaultErrorAfter && (problem == nil || problem.stored) {
		problem = broken(true)
	}
	if problem != nil {
		forget := c.strike.forget && problem.status < http.StatusInternalServerError
		return problem.response(), problem.stored && !forget, nil
	}
	body, err := json.MarshalIndent(object, "", "  ")
	return response{status: http.StatusOK, body: body}, true, err
}

func (g *Gateway) write(c *gin.Context, r response, key string) {
	if key != "" {
		c.Header("Idempotency-Key", key)
	}
	if r.replayed {
		c.Header("Idempotent-Replayed", "true")
	}
	c.Header("Cache-Control", "no-store")
	c.Data(r.status, "application/json", r.body)
}

// report logs the call without its parameters, at debug level unless a fault has struck.
func (g *Gateway) report(c *gin.Context, e endpoint, s strike, r response) {
	log := g.log.Debug
	if s.fault != "" {
		log = g.log.Info
	}
	log("call", "operation", e.operation, "path", c.Request.URL.Path, "status", r.status, "replayed", r.replayed,
		"fault", string(s.fault))
}

// strikeOf decides which faults strike. Only if there are rules does it look up the payment that the call is about.
func (g *Gateway) strikeOf(ctx context.Context, e endpoint, id string, params url.Values) strike {
	if !g.faults.any() {
		return strike{latency: g.options.Latency}
	}
	orderID, method := params.Get("metadata[order_id]"), params.Get("payment_method")
	if intent := cmp.Or(params.Get("payment_intent"), id); intent != "" {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		// Without a row, and also without a database, the conditions on order and method are not met.
		_ = g.db.QueryRow(ctx, `
			SELECT coalesce(order_id, ''), coalesce(payment_method, '') FROM payment_intents WHERE id = coalesce(
				(SELECT payment_intent_id FROM refunds WHERE id = $1), (SELECT payment_intent_id FROM disputes WHERE id = $1), $1)`,
			intent).Scan(&orderID, &method)
	}
	return g.faults.strike(e.operation, orderID, method)
}

// hangUp closes the connection without a response; with reset, by RST instead of FIN.
func hangUp(c *gin.Context, reset bool) {
	c.Abort()
	conn, _, err := c.Writer.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http closes the connection then
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// idempotencyKey returns the request's key, or "". Only calls with an effect have one.
func idempotencyKey(c *gin.Context) string {
	if c.Request.Method != http.MethodPost {
		return ""
	}
	return c.GetHeader("Idempotency-Key")
}

// readParams reads the form of a POST or the query of a GET. It rejects unknown parameters.
func readParams(c *gin.Context, known []string) (url.Values, *apiError) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	if err := c.Request.ParseForm(); err != nil {
		return nil, invalid("", "", "The request's form cannot be read.")
	}
	params := c.Request.PostForm
	if c.Request.Method == http.MethodGet {
		params = c.Request.URL.Query()
	}
	for name, values := range params {
		top, _, _ := strings.Cut(name, "[")
		if !slices.Contains(known, top) {
			return nil, invalid(name, "parameter_unknown", "Received unknown parameter: %s", name)
		}
		if len(values) > 1 && !strings.HasSuffix(name, "[]") {
			return nil, invalid(name, "", "The parameter %s is given twice.", name)
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsRune(v, 0) }) {
			return nil, invalid(name, "", "The parameter %s holds a NUL character.", name)
		}
	}
	return params, nil
}

// integer returns a parameter that must be a whole number, or def if it is absent.
func (c *call) integer(name string, def int64) (int64, error) {
	text := c.params.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid(name, "parameter_invalid_integer", "Invalid integer: %.32s", text)
	}
	return n, nil
}

// limit returns the page size of a list or search.
func (c *call) limit() (int, error) {
	n, err := c.integer("limit", 10)
	if err == nil && (n < 1 || n > 100) {
		err = invalid("limit", "parameter_invalid_integer", "limit must be from 1 to 100.")
	}
	return int(n), err
}

// Stripe's limits of metadata.
const (
	maxMetadata      = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// metadata returns the parameters metadata[key]=value as a map, which is never nil.
func (c *call) metadata() (map[string]string, error) {
	m := map[string]string{}
	for name, values := range c.params {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		key, ok = strings.CutSuffix(key, "]")
		if !ok || key == "" || len(key) > maxMetadataKey || len(values[0]) > maxMetadataValue || len(m) == maxMetadata {
			return nil, invalid("metadata", "",
				"Metadata has at most %d entries, with keys of up to %d and values of up to %d characters.",
				maxMetadata, maxMetadataKey, maxMetadataValue)
		}
		m[key] = values[0]
	}
	return m, nil
}

// expands reports whether the client asked for an object instead of its ID in the field.
func (c *call) expands(field string) bool {
	for name, values := range c.params {
		if strings.HasPrefix(name, "expand[") && slices.Contains(values, field) {
			return true
		}
	}
	return false
}
