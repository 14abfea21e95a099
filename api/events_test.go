package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

// listener reads a stream of events.
type listener struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
	last  string // ID of the last event
}

// listen opens the stream of the order keyed on a server of its own.
func listen(t *testing.T, a *testAPI, headers ...string) *listener {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return listenAt(t, server, headers...)
}

func listenAt(t *testing.T, server *httptest.Server, headers ...string) *listener {
	t.Helper()
	res := openStream(t, server, headers...)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("got %s %s", res.Status, body)
	}
	var came bytes.Buffer
	t.Cleanup(func() {
		if err := document.CheckResponse(res.Request, res.StatusCode, res.Header, came.Bytes()); err != nil {
			t.Errorf("the stream %s: %v", came.String(), err)
		}
	})
	l := &listener{t: t, lines: bufio.NewScanner(io.TeeReader(res.Body, &came)), close: func() { res.Body.Close() }}
	l.want("retry: 2000")
	return l
}

func openStream(t *testing.T, server *httptest.Server, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/orders/"+string(keyed)+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// next returns the next block of lines, or "" when the stream was closed.
func (l *listener) next() string {
	var block []string
	for l.lines.Scan() {
		if l.lines.Text() == "" {
			return strings.Join(block, "\n")
		}
		block = append(block, l.lines.Text())
	}
	if len(block) > 0 {
		l.t.Errorf("the stream ends within an event: %q", block)
	}
	return ""
}

// want reads blocks, shortened to what matters: "entry 3 CREATED", "order 3 PENDING", and those that are no events.
func (l *listener) want(want ...string) {
	l.t.Helper()
	var got []string
	for range want {
		got = append(got, l.summary(l.next()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Fatalf("the stream (-want +got):\n%s", diff)
	}
}

func (l *listener) summary(block string) string {
	fields := map[string]string{}
	for line := range strings.SplitSeq(block, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		fields[name] = value
	}
	if fields["event"] == "" {
		return block
	}
	var data struct{ Type, Status, Reason string }
	if err := json.Unmarshal([]byte(fields["data"]), &data); err != nil {
		l.t.Fatalf("%s: %v", block, err)
	}
	if fields["id"] != "" {
		l.last = fields["id"]
	}
	return strings.Join(strings.Fields(strings.Join([]string{fields["event"], fields["id"], data.Type, data.Status, data.Reason}, " ")), " ")
}

var declinedCard = order.Cause{Reason: order.PaymentDeclined, Message: "the card was declined", DeclineCode: "generic_decline"}

// placeKeyed places the order keyed and returns the request of its saga.
func placeKeyed(t *testing.T, a *testAPI) order.Request {
	t.Helper()
	a.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: respond-async")
	return a.engine.started[keyed].Request
}

func (a *testAPI) closes(t *testing.T, req order.Request) {
	t.Helper()
	if _, err := a.store.Close(t.Context(), req, declinedCard, []order.Entry{{Type: order.EntryStepDone, Step: "ReserveStock"}}); err != nil {
		t.Fatal(err)
	}
}

func (a *testAPI) finishes(t *testing.T) {
	t.Helper()
	if _, err := a.store.Finish(t.Context(), keyed, []order.Entry{{Type: order.EntryUndone, Step: "ReleaseStock"}}); err != nil {
		t.Fatal(err)
	}
}

func TestStreamTellsEachTransitionAndEndsWithTheOrder(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, hesitates)
	req := placeKeyed(t, a)
	l := listen(t, a)
	l.want("entry 1 CREATED", "order 1 PENDING")
	a.closes(t, req)
	l.want("entry 2 STEP_DONE", "entry 3 CLOSING", "order 3 PENDING PAYMENT_DECLINED")
	a.finishes(t)
	l.want("entry 4 UNDONE", "entry 5 FAILED", "order 5 FAILED PAYMENT_DECLINED", "end 5 FAILED PAYMENT_DECLINED", "")
}

// What there is to see is in the documented shape: that of the timeline and of the order.
func TestStreamCarriesTheTimelineAndTheOrder(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, confirms)
	placeKeyed(t, a)
	l := listen(t, a)
	timeline := a.send(t, "GET", "/orders/"+string(keyed)+"/timeline", "")
	for i, entry := range timeline.body["entries"].([]any) {
		want := fmt.Sprintf("id: %d\nevent: entry\ndata: ", i+1)
		data, found := strings.CutPrefix(l.next(), want)
		if diff := cmp.Diff(indent(t, marshal(t, entry)), indent(t, data)); !found || diff != "" {
			t.Errorf("entry %d (-want +got):\n%s", i, diff)
		}
	}
	shown := a.send(t, "GET", "/orders/"+string(keyed), "")
	for _, event := range []string{"order", "end"} {
		if got, want := l.next(), "id: 3\nevent: "+event+"\ndata: "+strings.TrimSpace(shown.raw); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The program was restarted: nothing but the client's last ID is left of the stream.
func TestStreamGoesOnAfterTheLastEventThatCame(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, hesitates)
	req := placeKeyed(t, a)
	first := listen(t, a)
	first.want("entry 1 CREATED", "order 1 PENDING")
	a.stop()
	first.want("") // closed, and not by an end
	a.closes(t, req)

	restarted := newTestAPI(t, hesitates)
	restarted.store.Memory = a.store.Memory
	l := listen(t, restarted, "Last-Event-ID: "+first.last)
	l.want("entry 2 STEP_DONE", "entry 3 CLOSING", "order 3 PENDING PAYMENT_DECLINED")
	a.finishes(t)
	l.want("entry 4 UNDONE", "entry 5 FAILED", "order 5 FAILED PAYMENT_DECLINED", "end 5 FAILED PAYMENT_DECLINED", "")
	listen(t, restarted, "Last-Event-ID: "+l.last).want("order 5 FAILED PAYMENT_DECLINED", "end 5 FAILED PAYMENT_DECLINED", "")
}

func TestStreamOfAnOrderWithoutARowBeginsWithWhatTheSagaKnows(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, sleeps)
	req := placeKeyed(t, a)
	l := listen(t, a)
	l.want("order PENDING")
	if err := confirms(a.store.Memory, req); err != nil {
		t.Fatal(err)
	}
	if got := l.summary(l.next()); got != "entry 1 CREATED" {
		t.Errorf("got %s", got)
	}
	for got := ""; got != "end 3 CONFIRMED"; { // the saga's two transitions may come as one change or as two
		if got = l.summary(l.next()); got == "" {
			t.Fatal("the stream ends without its end")
		}
	}
}

func TestStreamsAreForWhoMaySeeTheOrder(t *testing.T) {
	t.Parallel()
	a := newTestAPIWith(t, confirms, withTokens)
	path := "/orders/" + string(keyed) + "/events"
	a.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", token(t, "42", scopeOrders))
	for name, test := range map[string]struct {
		header string
		status int
	}{
		"no token":        {"X-Nothing: 1", 401},
		"another user":    {token(t, "43", scopeOrders), 404},
		"another service": {token(t, "42", "other"), 403},
	} {
		if got := a.send(t, "GET", path, "", test.header); got.status != test.status {
			t.Errorf("%s: got %d %s, want %d", name, got.status, got.raw, test.status)
		}
	}
	for who, want := range map[string]bool{scopeOrders: false, scopeOperator: true} {
		l := listen(t, a, token(t, "42", who))
		l.next()
		if charged := l.next(); strings.Contains(charged, "for operators") != want {
			t.Errorf("%s: got %s", who, charged)
		}
	}
}

func TestStreamsThatCannotBegin(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, hesitates)
	path := "/orders/" + string(keyed) + "/events"
	if got := a.send(t, "GET", path, ""); got.status != 404 || got.body["type"] != "/problems/order-not-found" {
		t.Errorf("no order: got %d %s", got.status, got.raw)
	}
	placeKeyed(t, a)
	for _, id := range []string{"x", "-1", "1 ", "9999999999999999999"} {
		if got := a.send(t, "GET", path, "", "Last-Event-ID: "+id); got.status != 422 {
			t.Errorf("Last-Event-ID %q: got %d %s, want 422", id, got.status, got.raw)
		}
	}
	a.store.breakIt(errors.New("connection refused"))
	if got := a.send(t, "GET", path, ""); got.status != 503 || strings.Contains(got.raw, "refused") {
		t.Errorf("no database: got %d %s", got.status, got.raw)
	}
}

// The server's timeouts are for ordinary requests and would end a stream.
func TestStreamOutlivesTheServersTimeLimits(t *testing.T) {
	t.Parallel()
	times := testTimes
	times.heartbeat = 20 * time.Millisecond
	a := newStreamingAPI(t, hesitates, withoutTokens, testEvents, times)
	req := placeKeyed(t, a)
	server := httptest.NewUnstartedServer(a)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	l := listenAt(t, server)
	l.want("entry 1 CREATED", "order 1 PENDING")
	for range 10 { // 200 ms or more
		l.want(": keep-alive")
	}
	a.closes(t, req)
	for {
		switch got := l.summary(l.next()); got {
		case ": keep-alive":
			continue
		case "entry 2 STEP_DONE":
			return
		default:
			t.Fatalf("got %q", got)
		}
	}
}

func TestStreamGoesOnWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	times := testTimes
	times.heartbeat = 5 * time.Millisecond
	a := newStreamingAPI(t, hesitates, withoutTokens, testEvents, times)
	req := placeKeyed(t, a)
	l := listen(t, a)
	l.want("entry 1 CREATED", "order 1 PENDING")
	a.store.breakIt(errors.New("connection refused"))
	a.closes(t, req)
	l.want(": keep-alive", ": keep-alive")
	a.store.breakIt(nil)
	for {
		if got := l.summary(l.next()); got == "entry 2 STEP_DONE" {
			return
		} else if got != ": keep-alive" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestStreamsAreClosedAfterAWhile(t *testing.T) {
	t.Parallel()
	short := testEvents
	short.MaxDuration = 50 * time.Millisecond
	a := newStreamingAPI(t, hesitates, withoutTokens, short, testTimes)
	placeKeyed(t, a)
	listen(t, a).want("entry 1 CREATED", "order 1 PENDING", "")
}

func TestStreamsEndWithTheirToken(t *testing.T) {
	t.Parallel()
	a := newStreamingAPI(t, hesitates, withTokens, testEvents, testTimes)
	a.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: respond-async", token(t, "42", scopeOrders))
	ends := time.Now().Add(2 * time.Second) // after the tolerance for clocks
	l := listen(t, a, sign(t, map[string]any{"exp": ends.Add(-30 * time.Second).Unix()}))
	l.want("entry 1 CREATED", "order 1 PENDING", "")
	if left := time.Until(ends); left > 2*time.Second || left < -time.Second {
		t.Errorf("the stream ended %s before its token", left)
	}
}

// It would hold a place and say nothing.
func TestHEADOfAStreamEnds(t *testing.T) {
	t.Parallel()
	a := newStreamingAPI(t, hesitates, withoutTokens, eventsConfig{MaxStreams: 1, MaxStreamsPerUser: 1, MaxDuration: time.Hour}, testTimes)
	placeKeyed(t, a)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	for range 2 {
		res, err := server.Client().Head(server.URL + "/orders/" + string(keyed) + "/events")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != eventStream {
			t.Errorf("got %s %v", res.Status, res.Header)
		}
	}
}

func TestStreamsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits eventsConfig
		status int
		want   string
	}{
		"in all":     {eventsConfig{MaxStreams: 1, MaxStreamsPerUser: 100, MaxDuration: time.Hour}, 503, "/problems/unavailable"},
		"for a user": {eventsConfig{MaxStreams: 100, MaxStreamsPerUser: 1, MaxDuration: time.Hour}, 429, "/problems/too-many-requests"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newStreamingAPI(t, hesitates, withTokens, test.limits, testTimes)
			user42 := token(t, "42", scopeOrders)
			a.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: respond-async", user42)
			server := httptest.NewServer(a)
			t.Cleanup(server.Close)
			first := listenAt(t, server, user42)
			got := a.send(t, "GET", "/orders/"+string(keyed)+"/events", "", user42)
			if got.status != test.status || got.body["type"] != test.want || got.header.Get("Retry-After") == "" {
				t.Errorf("the second stream: got %d %s, want %d", got.status, got.raw, test.status)
			}
			first.close()
			for { // until the server has seen that the client is gone
				res := openStream(t, server, user42)
				res.Body.Close()
				if res.StatusCode == 200 {
					return
				}
			}
		})
	}
}

// A stream must not hold up the program's end for as long as requests may go on.
func TestStreamsEndWhenTheProgramStops(t *testing.T) {
	t.Parallel()
	a := newTestAPI(t, hesitates)
	placeKeyed(t, a)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	l := listenAt(t, server)
	l.want("entry 1 CREATED", "order 1 PENDING")
	a.stop()
	if err := server.Config.Shutdown(t.Context()); err != nil { // waits for streams without a limit
		t.Error(err)
	}
	l.want("")
}

// token is an Authorization header for a user with a scope.
func token(t testing.TB, user, scope string) string {
	t.Helper()
	return sign(t, map[string]any{"sub": user, "scope": scope})
}
