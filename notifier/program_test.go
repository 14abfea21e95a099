package notifier

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// process is a notifier in another process.
type process struct {
	cmd    *exec.Cmd
	addr   string
	output logtest.Buffer
}

func startProcess(t *testing.T, environ ...string) *process {
	t.Helper()
	p := &process{addr: porttest.FreeAddress(t)}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0])
	p.cmd.Env = append([]string{asProgram + "=1", "NOTIFIER_ADDR=" + p.addr}, environ...)
	p.cmd.Stderr = &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("log of the notifier:\n%s", p.output.String())
		}
	})
	return p
}

func (p *process) ready(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// TestKilledWithBatchesInHandTheNextProcessDoesTheRestOnce kills notifiers while a lock on the table keeps their
// transactions open, and while they work. Every event leads to one notification nevertheless.
func TestKilledWithBatchesInHandTheNextProcessDoesTheRestOnce(t *testing.T) {
	t.Parallel()
	const events = 60
	s, databaseURL := newStore(t)
	broker := newBroker(t)
	environ := []string{"NOTIFIER_DATABASE_URL=" + databaseURL, "RABBITMQ_URL=" + broker}
	p := newPublisher(t, broker)
	for n := range events / 2 {
		publish(t, p, event(n, order.Confirmed))
		publish(t, p, event(n+events/2, order.Failed))
	}

	locker, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locker.Exec(t.Context(), `LOCK TABLE notifications IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	first := startProcess(t, environ...)
	eventually(t, "a blocked transaction", func() bool { return blocked(t, s) > 0 })
	kill(t, first)
	if err := locker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}

	second := startProcess(t, environ...)
	awaitNotifications(t, s, events/10)
	kill(t, second) // at any point: effects may be committed and not acknowledged

	third := startProcess(t, environ...)
	awaitNotifications(t, s, events)
	eventually(t, "readiness", func() bool { return third.ready(t) })
	if err := third.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := third.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	checkCounts(t, s, events)
	for _, name := range []string{rabbitmq.QueueConfirmed, rabbitmq.QueueCancelled, rabbitmq.DeadLetterQueue} {
		eventually(t, "an empty "+name, func() bool {
			ready, held := queue(t, broker, name)
			return ready == 0 && held == 0
		})
	}
}

// blocked returns how many sessions of the database wait for a lock.
func blocked(t *testing.T, s *store) int {
	t.Helper()
	return query(t, s, pgx.RowTo[int], `
		SELECT count(*) FROM pg_locks
		WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)[0]
}

func kill(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // killed
}

func TestMistakesInTheConfigurationAreNamedWithoutPasswords(t *testing.T) {
	t.Parallel()
	unreachable := []string{"NOTIFIER_DATABASE_URL=postgres://a:s3cret@127.0.0.1:1/x", "RABBITMQ_URL=amqp://x"}
	for name, test := range map[string]struct {
		environ []string
		words   []string
		code    int
	}{
		"nothing set":  {nil, []string{"NOTIFIER_DATABASE_URL", "RABBITMQ_URL"}, 2},
		"workers":      {append(unreachable[:2:2], "NOTIFIER_WORKERS=0"), []string{"NOTIFIER_WORKERS"}, 2},
		"database off": {unreachable, []string{"migrate the database", "connection refused"}, 1},
	} {
		p := startProcess(t, test.environ...)
		_ = p.cmd.Wait()
		if code := p.cmd.ProcessState.ExitCode(); code != test.code {
			t.Errorf("%s: exit code %d, want %d", name, code, test.code)
		}
		for _, word := range test.words {
			if !strings.Contains(p.output.String(), word) {
				t.Errorf("%s: the output does not say %q:\n%s", name, word, p.output.String())
			}
		}
		if strings.Contains(p.output.String(), "s3cret") {
			t.Errorf("%s: the output shows the password:\n%s", name, p.output.String())
		}
	}
}

func TestAQueueWithOtherArgumentsEndsTheProgramAndIsNamed(t *testing.T) {
	t.Parallel()
	_, databaseURL := newStore(t)
	broker := newBroker(t)
	if _, err := rabbitmqtest.Channel(t, broker).QueueDeclare(rabbitmq.QueueCancelled, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "NOTIFIER_DATABASE_URL="+databaseURL, "RABBITMQ_URL="+broker)
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != program.ExitFailed {
		t.Errorf("exit code %d, want %d", code, program.ExitFailed)
	}
	if want := "ORDER_CANCELLED exists in RabbitMQ with other arguments"; !strings.Contains(p.output.String(), want) {
		t.Errorf("the output does not say %q:\n%s", want, p.output.String())
	}
}

func TestWithoutABrokerTheProgramWaitsForIt(t *testing.T) {
	t.Parallel()
	_, databaseURL := newStore(t)
	p := startProcess(t, "NOTIFIER_DATABASE_URL="+databaseURL, "RABBITMQ_URL=amqp://orders:s3cret@127.0.0.1:1/")
	eventually(t, "the second attempt", func() bool { return strings.Count(p.output.String(), "no connection to RabbitMQ") >= 4 })
	if p.ready(t) {
		t.Error("ready without a broker")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if strings.Contains(p.output.String(), "s3cret") {
		t.Errorf("the output shows the password:\n%s", p.output.String())
	}
}
