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
	params    []string // the parameters it knows, without brackets
	run       func(*call) (any, error)
}

// call is a request in hand.
type call struct {
	context.Context
	tx     pgx.Tx
	now    time.Time
	id     string // of the object in the path, or ""
	params url.Values
	strike strike
	delay  time.Duration // of searches
	events bool          // whether there is somebody to send events to
}

// serve wraps an endpoint into everything that all calls have in common: parameters, idempotency, faults, the answer.
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
		if !g.running.enter(key) {
			writeError(c, keyInUse())
			return
		}
		defer g.running.leave(key)
		// The client's going away does not stop what it has asked for.
		ctx := context.WithoutCancel(c.Request.Context())
		g.perform(ctx, c, e, key, params)
	}
}

// perform does what is asked, as far as no fault is in the way.
func (g *Gateway) perform(ctx context.Context, c *gin.Context, e endpoint, key string, params url.Values) {
	s := g.strikeOf(ctx, e, c.Param("id"), params)
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var a answer
	if s.fault != FaultReset {
		a = g.answer(ctx, c, e, s, key, params)
	}
	g.report(c, e, s, a)
	switch s.fault {
	case FaultReset, FaultDropAnswer:
		hangUp(c, s.fault == FaultReset)
	default:
		g.write(c, a, key)
	}
}

// answer runs the call, or finds the stored answer. It always has one: what breaks here is a 500.
func (g *Gateway) answer(ctx context.Context, c *gin.Context, e endpoint, s strike, key string, params url.Values) answer {
	if early := s.before(); early != nil {
		return early.answer()
	}
	print := fingerprint(c.Request.Method, c.Request.URL.Path, params)
	a, err := g.once(ctx, key, print, func(tx pgx.Tx) (answer, bool, error) {
		return e.effect(&call{
			Context: ctx, tx: tx, now: g.now(), id: c.Param("id"), params: params, strike: s, delay: g.options.SearchDelay,
			events: g.options.WebhookURL != "",
		})
	})
	if problem := (*apiError)(nil); errors.As(err, &problem) {
		return problem.answer()
	}
	if err != nil {
		g.log.Error("a call broke", "operation", e.operation, "error", err.Error())
		return broken(false).answer()
	}
	return a
}

// effect runs the endpoint and says how to answer, and whether the answer (with the effect) is kept.
func (e endpoint) effect(c *call) (a answer, store bool, err error) {
	if c.strike.fault == FaultErrorStored {
		return broken(true).answer(), true, nil
	}
	object, err := e.run(c)
	var problem *apiError
	if err != nil && !errors.As(err, &problem) {
		return answer{}, false, fmt.Errorf("%s: %w", e.operation, err)
	}
	if c.strike.fault == FaultErrorAfter && (problem == nil || problem.stored) {
		problem = broken(true)
	}
	if problem != nil {
		return problem.answer(), problem.stored, nil
	}
	body, err := json.MarshalIndent(object, "", "  ")
	return answer{status: http.StatusOK, body: body}, true, err
}

func (g *Gateway) write(c *gin.Context, a answer, key string) {
	if key != "" {
		c.Header("Idempotency-Key", key)
	}
	if a.replayed {
		c.Header("Idempotent-Replayed", "true")
	}
	c.Header("Cache-Control", "no-store")
	c.Data(a.status, "application/json", a.body)
}

// report logs the call without its parameters; only what went wrong on purpose is worth more than a debug line.
func (g *Gateway) report(c *gin.Context, e endpoint, s strike, a answer) {
	log := g.log.Debug
	if s.fault != "" {
		log = g.log.Info
	}
	log("call", "operation", e.operation, "path", c.Request.URL.Path, "status", a.status, "replayed", a.replayed,
		"fault", string(s.fault))
}

// strikeOf decides which faults strike; it looks up whose payment the call is about only when there are any.
func (g *Gateway) strikeOf(ctx context.Context, e endpoint, id string, params url.Values) strike {
	if !g.faults.any() {
		return strike{latency: g.options.Latency}
	}
	orderID, method := params.Get("metadata[order_id]"), params.Get("payment_method")
	if intent := cmp.Or(params.Get("payment_intent"), id); intent != "" {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		// No row and no answer alike leave the conditions on order and method unmet.
		_ = g.pool.QueryRow(ctx, `SELECT coalesce(order_id, ''), coalesce(payment_method, '') FROM payment_intents WHERE id = $1`,
			intent).Scan(&orderID, &method)
	}
	return g.faults.strike(e.operation, orderID, method)
}

// hangUp closes the connection without an answer; reset does so the hard way (RST instead of FIN).
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

// readParams reads the form of a POST or the query of a GET, and refuses parameters that are not known.
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

// integer returns a parameter that must be a whole number, or def when it is absent.
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
func (c *call) limit() (int64, error) {
	n, err := c.integer("limit", 10)
	if err == nil && (n < 1 || n > 100) {
		err = invalid("limit", "parameter_invalid_integer", "limit must be from 1 to 100.")
	}
	return n, err
}

// oneOf returns a parameter that must be one of the values, or the first of them when it is absent.
func (c *call) oneOf(name string, values ...string) (string, error) {
	v := c.params.Get(name)
	if v == "" {
		return values[0], nil
	}
	if !slices.Contains(values, v) {
		return "", invalid(name, "", "Invalid %s: must be one of %s", name, strings.Join(values, ", "))
	}
	return v, nil
}

// Limits of metadata, as Stripe's.
const (
	maxMetadata      = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
)

// metadata returns metadata[key]=value parameters as a map, which is never nil.
func (c *call) metadata() (map[string]string, error) {
	m := map[string]string{}
	for name, values := range c.params {
		key, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		key, ok = strings.CutSuffix(key, "]")
		if !ok || key == "" || len(key) > maxMetadataKey || len(values[0]) > maxMetadataValue || len(m) == maxMetadata {
			return nil, invalid("metadata", "", "Metadata has at most %d entries, with keys of up to %d and values of up to %d characters.",
				maxMetadata, maxMetadataKey, maxMetadataValue)
		}
		m[key] = values[0]
	}
	return m, nil
}

// expands reports whether the client asked for the field's object instead of its ID.
func (c *call) expands(field string) bool {
	for name, values := range c.params {
		if strings.HasPrefix(name, "expand[") && slices.Contains(values, field) {
			return true
		}
	}
	return false
}
