package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// tool does what is asked for and writes what it did.
type tool struct {
	letters *rabbitmq.DeadLetters
	out     io.Writer
	by      rabbitmq.By
}

// group is what list shows of messages that failed alike.
type group struct {
	Group  string    `json:"group"`
	Count  int       `json:"count"`
	Queue  string    `json:"queue"`
	Type   string    `json:"type"`
	Reason string    `json:"reason"` // of one of them
	Oldest time.Time `json:"oldest,omitzero"`
	Newest time.Time `json:"newest,omitzero"`
	Sample string    `json:"sample"` // the ID of one of them
}

func (t *tool) list(ctx context.Context, asJSON bool) error {
	groups, err := t.groups(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeLines(t.out, groups)
	}
	if len(groups) == 0 {
		fmt.Fprintln(t.out, "no dead letters")
		return nil
	}
	tw := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "GROUP\tCOUNT\tQUEUE\tSINCE\tLAST\tREASON\tONE OF THEM")
	for _, g := range groups {
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n",
			g.Group, g.Count, g.Queue, stamp(g.Oldest), stamp(g.Newest), rabbitmq.Pattern(g.Reason), g.Sample)
	}
	return tw.Flush()
}

// groups returns the groups, largest first.
func (t *tool) groups(ctx context.Context) ([]group, error) {
	found := map[string]*group{}
	err := t.letters.Walk(ctx, t.by, func(l rabbitmq.DeadLetter) (rabbitmq.Action, error) {
		g := found[l.Group]
		if g == nil {
			g = &group{Group: l.Group, Queue: l.Queue, Type: l.Type, Reason: l.Reason, Sample: l.ID, Oldest: l.FailedAt}
			found[l.Group] = g
		}
		g.Count++
		if l.FailedAt.Before(g.Oldest) {
			g.Oldest = l.FailedAt
		}
		if l.FailedAt.After(g.Newest) {
			g.Newest = l.FailedAt
		}
		return rabbitmq.Keep, nil
	})
	var all []group
	for _, id := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[id])
	}
	slices.SortStableFunc(all, func(a, b group) int { return b.Count - a.Count })
	return all, err
}

func (t *tool) show(ctx context.Context, id string) error {
	found := 0
	err := t.letters.Walk(ctx, t.by, func(l rabbitmq.DeadLetter) (rabbitmq.Action, error) {
		if l.ID != id {
			return rabbitmq.Keep, nil
		}
		found++
		return rabbitmq.Keep, t.write(l)
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("there is no dead letter %s", id)
	}
	return err
}

// write shows a message whole.
func (t *tool) write(l rabbitmq.DeadLetter) error {
	head, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s\n\n", head)
	var body bytes.Buffer
	if json.Indent(&body, l.Body, "", "  ") != nil {
		fmt.Fprintf(t.out, "%q\n", l.Body)
		return nil
	}
	fmt.Fprintf(t.out, "%s\n", body.String())
	return nil
}

// act replays or discards what was selected, and says for each message what it did. One that cannot be replayed stays
// and does not hold up the others.
func (t *tool) act(ctx context.Context, r request) error {
	action := rabbitmq.Action(r.command)
	pace := time.NewTicker(time.Second / time.Duration(r.rate))
	defer pace.Stop()
	done, left := 0, 0
	err := t.letters.Walk(ctx, t.by, func(l rabbitmq.DeadLetter) (rabbitmq.Action, error) {
		if !r.selects(l) {
			return rabbitmq.Keep, nil
		}
		if action == rabbitmq.Replay {
			if why := t.letters.Replayable(l); why != nil {
				left++
				fmt.Fprintf(t.out, "cannot replay %s: %v\n", l.ID, why)
				return rabbitmq.Keep, nil
			}
		}
		done++
		if r.dryRun {
			fmt.Fprintf(t.out, "would %s %s (%s: %s)\n", action, l.ID, l.Queue, l.Reason)
			return rabbitmq.Keep, nil
		}
		select {
		case <-ctx.Done():
			return rabbitmq.Keep, ctx.Err()
		case <-pace.C:
		}
		fmt.Fprintf(t.out, "%s %s (%s: %s)\n", action, l.ID, l.Queue, l.Reason)
		return action, nil
	})
	switch {
	case err != nil:
		return err
	case done+left == 0:
		return errors.New("there is no such dead letter")
	case !r.dryRun:
		fmt.Fprintf(t.out, "%d done\n", done)
	}
	if left > 0 {
		return fmt.Errorf("%d cannot be replayed", left)
	}
	return nil
}

func (r request) selects(l rabbitmq.DeadLetter) bool {
	return r.all || r.id != "" && l.ID == r.id || r.group != "" && l.Group == r.group
}

func (t *tool) audit(ctx context.Context, asJSON bool) error {
	entries := 0
	err := t.letters.Audit(ctx, func(e rabbitmq.AuditEntry) error {
		entries++
		if asJSON {
			return writeLines(t.out, []rabbitmq.AuditEntry{e})
		}
		_, err := fmt.Fprintf(t.out, "%s  %s  %s  %s  %s: %s\n", stamp(e.At), e.Operator, e.Action, e.Letter.ID, e.Letter.Queue, e.Why)
		return err
	})
	if err == nil && entries == 0 && !asJSON {
		fmt.Fprintln(t.out, "nothing was replayed or discarded yet")
	}
	return err
}

func writeLines[T any](w io.Writer, values []T) error {
	enc := json.NewEncoder(w)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
