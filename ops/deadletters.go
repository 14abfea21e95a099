package ops

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

type brokerConfig struct {
	URL string `env:"RABBITMQ_URL,notEmpty" form:"amqp" help:"the broker"`
}

// letters is what the commands on dead letters share.
type letters struct{ configured[brokerConfig] }

// connectTimeout bounds connecting to the broker.
const connectTimeout = 15 * time.Second

func (l *letters) open(ctx context.Context) (*rabbitmq.DeadLetters, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	opened, err := rabbitmq.OpenDeadLetters(ctx, rabbitmq.Config{
		URL: l.config.URL, Name: "ops", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	return opened, nil
}

// look shows every dead letter to see and changes nothing.
func (l *letters) look(ctx context.Context, out *output, see func(rabbitmq.DeadLetter)) error {
	opened, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	read := out.counting("dead letters read")
	return opened.Walk(ctx, rabbitmq.By{}, func(letter rabbitmq.DeadLetter) (rabbitmq.Action, error) {
		read(1)
		see(letter)
		return rabbitmq.Keep, nil
	})
}

type listLetters struct{ letters }

// letterGroup is a number of messages that failed alike.
type letterGroup struct {
	Group  string    `json:"group"`
	Count  int       `json:"count"`
	Queue  string    `json:"queue"`
	Type   string    `json:"type"`
	Reason string    `json:"reason"` // of one of them
	Oldest time.Time `json:"oldest,omitzero"`
	Newest time.Time `json:"newest,omitzero"`
	Sample string    `json:"sample"` // the ID of one of them
}

func (c *listLetters) run(ctx context.Context, out *output) error {
	groups, err := c.groups(ctx, out)
	if err != nil {
		return err
	}
	t := out.table("GROUP", "COUNT", "QUEUE", "SINCE", "LAST", "REASON", "SAMPLE")
	for _, g := range groups {
		t.row(g, g.Group, g.Count, g.Queue, stamp(g.Oldest), stamp(g.Newest), rabbitmq.Pattern(g.Reason), g.Sample)
	}
	t.end("no dead letters")
	return nil
}

// groups returns the groups, largest first.
func (c *listLetters) groups(ctx context.Context, out *output) ([]*letterGroup, error) {
	found := map[string]*letterGroup{}
	err := c.look(ctx, out, func(l rabbitmq.DeadLetter) {
		g := found[l.Group]
		if g == nil {
			g = &letterGroup{Group: l.Group, Queue: l.Queue, Type: l.Type, Reason: l.Reason, Sample: l.ID, Oldest: l.FailedAt}
			found[l.Group] = g
		}
		g.Count++
		if l.FailedAt.Before(g.Oldest) {
			g.Oldest = l.FailedAt
		}
		if l.FailedAt.After(g.Newest) {
			g.Newest = l.FailedAt
		}
	})
	largestFirst := func(a, b *letterGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Group, b.Group))
	}
	return slices.SortedFunc(maps.Values(found), largestFirst), err
}

type showLetter struct {
	letters
	ID string `help:"ID of the message." placeholder:"ID" required:""`
}

// shownLetter is a whole message.
type shownLetter struct {
	rabbitmq.DeadLetter
	Body any `json:"body"`
}

func (c *showLetter) run(ctx context.Context, out *output) error {
	found := false
	err := c.look(ctx, out, func(l rabbitmq.DeadLetter) {
		if l.ID != c.ID {
			return
		}
		found = true
		shown := shownLetter{l, readable(l.Body)}
		indented, err := json.MarshalIndent(shown, "", "  ")
		out.keep(err)
		out.line(shown, "%s", indented)
	})
	if err == nil && !found {
		err = leftf("there is no dead letter %s", c.ID)
	}
	return err
}

// readable returns the body as JSON if it is that, as text if it is that, and otherwise as an escaped text.
func readable(body []byte) any {
	switch {
	case json.Valid(body):
		return json.RawMessage(bytes.Clone(body))
	case utf8.Valid(body):
		return string(body)
	}
	return strconv.Quote(string(body))
}

type replayLetters struct{ actOnLetters }

func (c *replayLetters) run(ctx context.Context, out *output) error {
	return c.act(ctx, out, rabbitmq.Replay)
}

type discardLetters struct{ actOnLetters }

func (c *discardLetters) run(ctx context.Context, out *output) error {
	return c.act(ctx, out, rabbitmq.Discard)
}

// actOnLetters is what replay and discard share.
type actOnLetters struct {
	letters
	change
	ID    string `help:"One message (all copies of it)." placeholder:"ID" xor:"selection" required:""`
	Group string `help:"All messages of a group that list shows." placeholder:"GROUP" xor:"selection" required:""`
	All   bool   `help:"All dead letters." xor:"selection" required:""`
	Rate  int    `help:"At most this many messages a second." default:"50"`
}

func (c *actOnLetters) validate() error {
	if err := c.change.validate(); err != nil || c.Rate >= 1 {
		return err
	}
	return errors.New("--rate must be at least 1")
}

func (c *actOnLetters) selects(l rabbitmq.DeadLetter) bool {
	return c.All || c.ID != "" && l.ID == c.ID || c.Group != "" && l.Group == c.Group
}

// handled is what became of one message.
type handled struct {
	Action  rabbitmq.Action `json:"action"`
	ID      string          `json:"id"`
	Queue   string          `json:"queue"`
	Reason  string          `json:"reason"`
	Applied bool            `json:"applied"`
	Problem string          `json:"problem,omitempty"` // why it cannot be done
}

// handledCount is the summary.
type handledCount struct {
	Selected int `json:"selected"`
	Applied  int `json:"applied"`
	Left     int `json:"left"` // could not be done
}

// act replays or discards what is selected, and says for each message what it did. A message that cannot be replayed stays
// and does not hold up the others.
func (c *actOnLetters) act(ctx context.Context, out *output, action rabbitmq.Action) error {
	opened, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	pace := time.NewTicker(time.Second / time.Duration(c.Rate))
	defer pace.Stop()
	var n handledCount
	by := rabbitmq.By{Operator: c.Operator, Reason: c.Reason}
	err = opened.Walk(ctx, by, func(l rabbitmq.DeadLetter) (rabbitmq.Action, error) {
		if !c.selects(l) {
			return rabbitmq.Keep, nil
		}
		n.Selected++
		h := handled{Action: action, ID: l.ID, Queue: l.Queue, Reason: l.Reason, Applied: c.Apply}
		if problem := opened.Replayable(l); action == rabbitmq.Replay && problem != nil {
			n.Left++
			h.Applied, h.Problem = false, problem.Error()
			out.line(h, "cannot replay %s: %v", l.ID, problem)
			return rabbitmq.Keep, nil
		}
		if !c.Apply {
			out.line(h, "would %s %s (%s: %s)", action, l.ID, l.Queue, l.Reason)
			return rabbitmq.Keep, nil
		}
		select {
		case <-ctx.Done():
			return rabbitmq.Keep, ctx.Err()
		case <-pace.C:
		}
		n.Applied++
		out.line(h, "%s %s (%s: %s)", action, l.ID, l.Queue, l.Reason)
		return action, nil
	})
	switch {
	case err != nil:
		return err
	case n.Selected == 0:
		return left("there is no such dead letter")
	}
	out.summary(n, "selected: %d, done: %d, impossible: %d", n.Selected, n.Applied, n.Left)
	if n.Left > 0 {
		return leftf("messages that cannot be replayed: %d of %d", n.Left, n.Selected)
	}
	return nil
}

type auditLetters struct{ letters }

func (c *auditLetters) run(ctx context.Context, out *output) error {
	opened, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	read, none := out.counting("audit entries read"), true
	err = opened.Audit(ctx, func(e rabbitmq.AuditEntry) error {
		read(1)
		none = false
		out.line(e, "%s  %s  %s  %s  %s: %s", stamp(e.At), e.Operator, e.Action, e.Letter.ID, e.Letter.Queue, e.Why)
		return out.err
	})
	if err == nil && none {
		out.text("nothing has been replayed or discarded yet")
	}
	return err
}
