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

// Event is a change of a watched order. Exactly one of its members is set.
type Event struct {
	Entry *Entry // a new timeline entry
	Order *Order // the order: at first its present state, then each change
}

// Watch yields the timeline entries of an order and the order itself whenever it changes, until the order has ended. The last
// order that it yields is final. After a broken connection it continues where the stream broke: it misses nothing and
// repeats no entry, but yields the order again. It stops after an error.
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
				try = 1 // the server ends streams after a while: not one of several failures
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
	over   bool   // the order has ended, or the caller has stopped
}

// stream reads events until the connection or the order ends.
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
		text, err := read(res)
		if err != nil {
			return err
		}
		return refused(res, text)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxResponse)
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
	return io.ErrUnexpectedEOF // the caller checks w.over first
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
		return nil // from a later version of the API
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
