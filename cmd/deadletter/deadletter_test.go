package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// asProgram makes the test binary run as the tool itself, so that a test can kill it.
const asProgram = "DEADLETTER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

// cemetery is a virtual host with dead letters in it.
type cemetery struct {
	t   *testing.T
	url string
	ch  *amqp.Channel
}

func newCemetery(t *testing.T) *cemetery {
	t.Helper()
	url := servicestest.RabbitMQ(t)
	letters, err := rabbitmq.OpenDeadLetters(t.Context(), rabbitmq.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	letters.Close() // the topology is there now
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return &cemetery{t, url, ch}
}

// bury puts a dead letter in place, as a consumer does that has given it up.
func (c *cemetery) bury(id, reason string) {
	c.t.Helper()
	c.buryFrom(rabbitmq.QueueConfirmed, id, reason)
}

func (c *cemetery) buryFrom(queue, id, reason string) {
	c.t.Helper()
	confirm, err := c.ch.PublishWithDeferredConfirm(rabbitmq.DeadLetterExchange, rabbitmq.DeadLetterKey, true, false, amqp.Publishing{
		MessageId: id, Type: "ORDER_CONFIRMED", DeliveryMode: amqp.Persistent, Body: []byte(`{"id":"` + id + `"}`),
		Headers: amqp.Table{
			"traceparent": "00-1", rabbitmq.HeaderAttempt: int32(5), rabbitmq.HeaderReason: reason,
			rabbitmq.HeaderQueue: queue, rabbitmq.HeaderFailed: time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC),
		},
	})
	if err == nil && !confirm.Wait() {
		err = errors.New("not confirmed")
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cemetery) count(queue string) int {
	c.t.Helper()
	q, err := c.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return q.Messages
}

// await waits for the queue to hold n messages: what a tool gives back is there a moment after it has ended.
func (c *cemetery) await(queue string, n int) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for c.count(queue) != n {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d messages in %s, want %d", c.count(queue), queue, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *cemetery) tool(args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	code = execute(c.t.Context(), args, []string{"RABBITMQ_URL=" + c.url, "OPERATOR=ada"}, &out, &errs)
	return code, out.String(), errs.String()
}

// must runs the tool and returns what it writes.
func (c *cemetery) must(args ...string) string {
	c.t.Helper()
	code, stdout, stderr := c.tool(args...)
	if code != program.ExitOK {
		c.t.Fatalf("deadletter %v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

func TestListGroupsByReasonAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	if out := c.must("list"); out != "no dead letters\n" {
		t.Errorf("without any: %q", out)
	}
	if out := c.must("audit"); out != "nothing was replayed or discarded yet\n" {
		t.Errorf("the audit of nothing: %q", out)
	}
	for n := range 3 {
		c.bury(fmt.Sprint("m", n), fmt.Sprintf("order 0197a4b2-6c1e-7d3f-8a55-%012d: the mail server says %d", n, 450+n))
	}
	c.bury("p1", "the body is not an event")
	for range 2 {
		lines := strings.Split(strings.TrimSpace(c.must("list")), "\n")
		if len(lines) != 3 || !strings.Contains(lines[1], "  3      ORDER_CONFIRMED") || !strings.Contains(lines[1], "order …: the mail server says …") ||
			!strings.Contains(lines[2], "the body is not an event") {
			t.Errorf("list:\n%s", strings.Join(lines, "\n"))
		}
		c.await(rabbitmq.DeadLetterQueue, 4)
	}
	shown := c.must("show", "p1")
	for _, word := range []string{`"reason": "the body is not an event"`, `"attempts": 5`, `"traceparent": "00-1"`, `"id": "p1"`} {
		if !strings.Contains(shown, word) {
			t.Errorf("show does not say %s:\n%s", word, shown)
		}
	}
	c.await(rabbitmq.DeadLetterQueue, 4)
}

func TestReplayBringsMessagesBackAsIfForTheFirstTime(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("m1", "the mail server says 450")
	c.bury("m2", "the mail server says 451")
	c.bury("p1", "the body is not an event")
	group := strings.Fields(strings.Split(c.must("list"), "\n")[1])[0]

	c.await(rabbitmq.DeadLetterQueue, 3)
	if out := c.must("replay", "--group", group, "--dry-run"); strings.Count(out, "would replay m") != 2 {
		t.Errorf("dry run:\n%s", out)
	}
	c.await(rabbitmq.DeadLetterQueue, 3)
	if n := c.count(rabbitmq.QueueConfirmed); n != 0 {
		t.Errorf("the dry run has replayed %d messages", n)
	}
	if out := c.must("replay", "--group", group); !strings.HasSuffix(out, "2 done\n") {
		t.Errorf("replay:\n%s", out)
	}
	c.await(rabbitmq.DeadLetterQueue, 1)
	c.await(rabbitmq.QueueConfirmed, 2)
	m, ok, err := c.ch.Get(rabbitmq.QueueConfirmed, true)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if m.MessageId != "m1" || string(m.Body) != `{"id":"m1"}` || m.Headers["traceparent"] != "00-1" ||
		m.Headers[rabbitmq.HeaderAttempt] != nil || m.Headers[rabbitmq.HeaderReason] != nil {
		t.Errorf("replayed %s with headers %v and body %s", m.MessageId, m.Headers, m.Body)
	}
	c.must("replay", "--id", "p1")
	c.await(rabbitmq.DeadLetterQueue, 0)
	if code, _, stderr := c.tool("replay", "--all"); code != program.ExitFailed || !strings.Contains(stderr, "no such dead letter") {
		t.Errorf("nothing to replay: exit code %d, %s", code, stderr)
	}
}

func TestWhatCannotBeReplayedStaysAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.buryFrom("ORDER_LOST", "l1", "nobody knows the queue")
	c.bury("m1", "the mail server says 450")
	for _, args := range [][]string{{"replay", "--all", "--dry-run"}, {"replay", "--all"}} {
		code, stdout, stderr := c.tool(args...)
		if code != program.ExitFailed || !strings.Contains(stdout, "cannot replay l1: there is no queue ORDER_LOST") ||
			!strings.Contains(stdout, "replay m1") || !strings.Contains(stderr, "1 cannot be replayed") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	c.await(rabbitmq.QueueConfirmed, 1)
	c.await(rabbitmq.DeadLetterQueue, 1)
	c.must("discard", "--id", "l1", "--reason", "sent by a test")
	c.await(rabbitmq.DeadLetterQueue, 0)
}

func TestReplayKeepsToItsRate(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	for n := range 5 {
		c.bury(fmt.Sprint("m", n), "the mail server says 450")
	}
	c.await(rabbitmq.DeadLetterQueue, 5)
	began := time.Now()
	c.must("replay", "--all", "--rate", "20")
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("five messages within %s at 20 a second", took)
	}
	c.await(rabbitmq.QueueConfirmed, 5)
}

func TestDiscardedMessagesAndWhoDiscardedThemStayInTheAudit(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("p1", "the body is not an event")
	c.bury("m1", "the mail server says 450")
	if code, _, stderr := c.tool("discard", "--id", "p1"); code != program.ExitUsage || !strings.Contains(stderr, "--reason") {
		t.Errorf("without a reason: exit code %d, %s", code, stderr)
	}
	c.must("discard", "--id", "p1", "--reason", "sent by a test")
	c.must("replay", "--all", "--reason", "the mail server is back")
	c.await(rabbitmq.DeadLetterQueue, 0)
	c.await(rabbitmq.QueueConfirmed, 1)
	lines := strings.Split(strings.TrimSpace(c.must("audit")), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "ada  discard  p1  ORDER_CONFIRMED: sent by a test") ||
		!strings.Contains(lines[1], "ada  replay  m1  ORDER_CONFIRMED: the mail server is back") {
		t.Errorf("audit:\n%s", strings.Join(lines, "\n"))
	}
}

func TestToolThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	const buried = 40
	c := newCemetery(t)
	for n := range buried {
		c.bury(fmt.Sprint("m", n), "the mail server says 450")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "replay", "--all", "--rate", "100")
	cmd.Env = []string{asProgram + "=1", "RABBITMQ_URL=" + c.url}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for c.count(rabbitmq.QueueConfirmed) < buried/4 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed

	seen := map[string]bool{}
	deadline := time.Now().Add(patience)
	for len(seen) < buried && time.Now().Before(deadline) {
		for _, queue := range []string{rabbitmq.QueueConfirmed, rabbitmq.DeadLetterQueue} {
			if m, ok, err := c.ch.Get(queue, true); err != nil {
				t.Fatal(err)
			} else if ok {
				seen[m.MessageId] = true
			}
		}
	}
	if len(seen) != buried {
		t.Errorf("%d messages are left of %d", len(seen), buried)
	}
}

func TestWrongArgumentsAreExplained(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"bury"}, {"show"}, {"show", "a", "b"}, {"list", "x"}, {"replay"}, {"replay", "--id", "a", "--all"},
		{"replay", "--all", "--rate", "0"}, {"discard", "--all"}, {"list", "--all"},
	} {
		var stdout, stderr bytes.Buffer
		if code := execute(t.Context(), args, []string{"RABBITMQ_URL=amqp://x"}, &stdout, &stderr); code != program.ExitUsage || stderr.Len() == 0 {
			t.Errorf("%v: exit code %d, %s", args, code, stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	if code := execute(t.Context(), []string{"--help"}, nil, &stdout, &stderr); code != program.ExitOK || !strings.Contains(stdout.String(), "RABBITMQ_URL") {
		t.Errorf("--help: exit code %d, %s", code, stdout.String())
	}
	if code := execute(t.Context(), []string{"list"}, []string{"RABBITMQ_URL=amqp://a:s3cret@127.0.0.1:1/"}, &stdout, &stderr); code != program.ExitFailed {
		t.Errorf("without a broker: exit code %d", code)
	}
	if strings.Contains(stderr.String(), "s3cret") {
		t.Errorf("the password is shown: %s", stderr.String())
	}
}
