package orderclient

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
)

// Event is one thing that happens to a watched order: exactly one of its two is set.
type Event struct {
	Entry *Entry // a new timeline entry
	Order *Order // the order, at the beginning and whenever it has changed
}

// Watch yields what happened and happens to an order, until it is at its end. The last order that it yields is the final
// one; every stream begins with the order as it is. A stream that breaks is resumed where it broke: nothing is missed, and no record comes twice. An error is the last
// thing that it yields.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := watch{client: c, path: orderPath(id) + "/events", yield: yield}
		for try := 1; ; try++ {
			w.heard = false
			err := w.stream(ctx)
			if w.over {
				return
			}
			if w.heard {
				try = 1 // streams end after a while: this was none of a row of failures
			}
			wait, again := c.again(err, try)
			if again {
				err = sleep(ctx, wait)
			}
			if err != nil && (!again || ctx.Err() != nil) {
				yield(Event{}, fmt.Errorf("watch order %s: %w", id, err))
				return
			}
		}
	}
}

type watch struct {
	client *Client
	path   string
	yield  func(Event, error) bool
	last   string // the ID of the last event
	heard  bool   // this stream had an event
	over   bool   // the order is at its end, or nobody listens any more
}

// stream reads events until the connection ends.
func (w *watch) stream(ctx context.Context) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if w.last != "" {
		header.Set("Last-Event-ID", w.last)
	}
	res, err := w.client.send(ctx, http.MethodGet, w.path, nil, header)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return err
		}
		return refused(res, text)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxAnswer)
	event := map[string]string{}
	for lines.Scan() && !w.over {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case lines.Text() != "":
			event[name] = strings.TrimPrefix(value, " ")
		case event["data"] != "":
			if err := w.dispatch(event); err != nil {
				return final{err}
			}
			fallthrough
		default:
			clear(event)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF // unless it is over: the caller looks
}

func (w *watch) dispatch(event map[string]string) error {
	var e Event
	var target any
	switch event["event"] {
	case "entry":
		e.Entry = &Entry{}
		target = e.Entry
	case "order", "end":
		e.Order = &Order{}
		target = e.Order
	default:
		return nil // of a later version
	}
	if err := json.Unmarshal([]byte(event["data"]), target); err != nil {
		return fmt.Errorf("event %q cannot be read: %w", event["event"], err)
	}
	if id := event["id"]; id != "" {
		w.last = id
	}
	w.heard = true
	w.over = !w.yield(e, nil) || event["event"] == "end"
	return nil
}
