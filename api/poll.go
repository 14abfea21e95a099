package api

import (
	"context"
	"log/slog"
	"time"
)

// poller queries the store again and again, once for all that wait, and not at all while nothing waits. Orders pay nothing for
// it. They would pay for notifications by the database: transactions that notify commit one after the other.
type poller struct {
	what  string // for the log
	every time.Duration
	log   *slog.Logger
	wake  chan struct{} // has room for one: there is something to ask
}

func newPoller(what string, every time.Duration, log *slog.Logger) *poller {
	return &poller{what: what, every: every, log: log, wake: make(chan struct{}, 1)}
}

// begin says that there is something to ask from now on.
func (p *poller) begin() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run calls ask until it finds nothing left to ask, waits for begin, and so on until ctx is done. That the store begins to
// fail, or works again, is logged once.
func (p *poller) run(ctx context.Context, ask func(context.Context) (idle bool, err error)) {
	broken := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for idle := false; !idle; {
			var err error
			idle, err = ask(ctx)
			if failed := err != nil; failed != broken && ctx.Err() == nil {
				broken = failed
				p.report(err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(p.every):
			}
		}
	}
}

func (p *poller) report(err error) {
	if err == nil {
		p.log.Info(p.what + " can be read again")
		return
	}
	p.log.Warn(p.what+" cannot be read; those who wait for them go on waiting", "error", err.Error())
}
