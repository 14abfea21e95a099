package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// stream writes server-sent events to one client.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	times   watchTimes
	details bool  // the client is an operator
	last    int64 // ID of the timeline entry that was written last; 0: none
	version int64 // of the order as it was written last; -1: not yet
}

func newStream(w http.ResponseWriter, times watchTimes, last int64, details bool) *stream {
	return &stream{w: w, control: http.NewResponseController(w), times: times, last: last, details: details, version: -1}
}

func (s *stream) begin() error {
	h := s.w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // asks reverse proxies to pass on each event at once
	s.w.WriteHeader(http.StatusOK)
	// The server's time limits are for whole requests. A read that reaches its deadline would end the request's context.
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("lift the read deadline: %w", err)
	}
	return s.write(fmt.Sprintf("retry: %d\n\n", s.times.retry.Milliseconds()))
}

// change writes the new timeline entries, and the order if it has changed. It reports whether the order has ended: nothing
// follows then.
func (s *stream) change(c order.Change) (ended bool, err error) {
	var out strings.Builder
	for _, e := range c.Entries {
		s.last = e.ID
		s.event(&out, "entry", toEntry(e.Entry, s.details))
	}
	if c.Order.Version != s.version {
		s.version = c.Order.Version
		s.event(&out, "order", toWire(c.Order))
	}
	if ended = c.Order.Status.Final(); ended { // and so is its timeline, as of the same moment
		s.event(&out, "end", toWire(c.Order))
	}
	return ended, s.write(out.String())
}

func (s *stream) event(out *strings.Builder, name string, data any) {
	line, err := json.Marshal(data)
	if err != nil {
		panic(err) // numbers, strings and times
	}
	if s.last != 0 {
		fmt.Fprintf(out, "id: %d\n", s.last)
	}
	fmt.Fprintf(out, "event: %s\ndata: %s\n\n", name, line)
}

// write sends text at once. It fails when the client does not read in time.
func (s *stream) write(text string) error {
	if text == "" {
		return nil
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(s.times.write)); err != nil {
		return fmt.Errorf("set the write deadline: %w", err)
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
