package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// session is one connection and everything that came from it.
type session struct {
	conn   *amqp.Connection
	socket *socket
	// lost is done when the connection has ended; its cause says why.
	lost context.Context
	// blocked is closed while the broker asks publishers to pause, because it is short of memory or disk.
	blocked *gate
}

// within puts setupTimeout on calls to the broker, which have no deadline of their own. When it expires, it closes the
// socket, which ends the calls and the session.
func (s *session) within(calls func() error) error {
	timer := time.AfterFunc(setupTimeout, func() { _ = s.socket.Close() })
	defer timer.Stop()
	return calls()
}

// use works with a session. It returns when ctx is done, because of a stop or because the connection is lost, or when the
// session is unusable. It leaves no goroutine behind.
type use func(ctx context.Context, s *session) error

// supervisor keeps a program connected: whenever a session ends, it starts another.
type supervisor struct {
	config Config
	log    *slog.Logger
	// hopeless reports whether an error makes another attempt pointless; nil if none does.
	hopeless func(error) bool

	state atomic.Pointer[state]
}

// state is why the supervisor is not ready; err is nil while there is a session that is not paused.
type state struct{ err error }

var (
	errConnecting = errors.New("not yet connected to RabbitMQ")
	errEnded      = errors.New("the connection to RabbitMQ was closed")
)

func newSupervisor(config Config, purpose string) *supervisor {
	config.Name += " (" + purpose + ")"
	s := &supervisor{config: config, log: config.Log.With("connection", config.Name)}
	s.state.Store(&state{errConnecting})
	return s
}

// ready returns nil while there is a session that is not paused, otherwise why not.
func (s *supervisor) ready() error { return s.state.Load().err }

// run starts one session after the other until ctx is done, and returns nil; or until an error is hopeless, and returns
// that.
func (s *supervisor) run(ctx context.Context, use use) error {
	failures := 0
	for {
		began := time.Now()
		err := cmp.Or(s.session(ctx, use), errEnded)
		s.state.Store(&state{err})
		if ctx.Err() != nil {
			return nil
		}
		if s.hopeless != nil && s.hopeless(err) {
			return err
		}
		if time.Since(began) > s.config.MaxBackoff {
			failures = 0 // it was up for a while, so this is another failure
		}
		pause := backoff(failures, s.config.MaxBackoff)
		failures++
		s.log.Warn("no connection to RabbitMQ", "error", err.Error(), "againIn", pause.String())
		if sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// session connects, declares the topology and calls use. When use returns or the connection is lost, it ends both.
func (s *supervisor) session(ctx context.Context, use use) (err error) {
	setup, cancelSetup := context.WithTimeout(ctx, setupTimeout)
	defer cancelSetup()
	conn, socket, err := dial(setup, s.config.URL, s.config.Name)
	if err != nil {
		return err
	}
	lost, lose := context.WithCancelCause(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer lose(nil)
	defer closeConnection(conn, socket)

	blocked := &gate{}
	watchers.Go(watchClose(conn, lose))
	watchers.Go(s.watchBlocked(conn, blocked))
	if err := s.config.Topology.declare(conn); err != nil {
		return err
	}
	if !socket.keep() { // the setup is done, but its timeout has just closed the socket
		return fmt.Errorf("set up the connection to RabbitMQ: %w", setup.Err())
	}
	s.state.Store(&state{})
	s.log.Info("connected to RabbitMQ")

	using, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(lost, stop)()
	err = use(using, &session{conn: conn, socket: socket, lost: lost, blocked: blocked})
	if lost.Err() != nil {
		return context.Cause(lost)
	}
	return err
}

// watchClose reports why the connection ended, once it has.
func watchClose(conn *amqp.Connection, lose context.CancelCauseFunc) func() {
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	return func() {
		if err := <-closed; err != nil {
			lose(fmt.Errorf("lost the connection to RabbitMQ: %w", err))
			return
		}
		lose(errEnded)
	}
}

// watchBlocked closes and opens the gate as the broker asks, until the connection ends.
func (s *supervisor) watchBlocked(conn *amqp.Connection, g *gate) func() {
	changes := conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	return func() {
		for change := range changes {
			if change.Active {
				s.log.Warn("RabbitMQ asks publishers to pause", "reason", change.Reason)
				s.state.Store(&state{fmt.Errorf("%w: %s", Paused, change.Reason)})
				g.close()
			} else {
				s.log.Info("RabbitMQ lets publishers continue")
				s.state.Store(&state{})
				g.open()
			}
		}
	}
}

// baseBackoff is the longest pause before the second attempt; it doubles with every failure.
const baseBackoff = 100 * time.Millisecond

// backoff returns a random pause up to the bound for that number of failures. Full jitter keeps programs that lost the
// broker together from reconnecting together.
func backoff(failures int, most time.Duration) time.Duration {
	bound := min(baseBackoff<<min(failures, 16), most)
	return rand.N(bound) + time.Millisecond
}

// sleep waits for d, or returns ctx's error if ctx is done first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
