package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// asProgram makes the test binary run as ops itself, so that a test can kill it.
const asProgram = "OPS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
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
	ch := rabbitmqtest.Channel(t, url)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return &cemetery{t, url, ch}
}

// bury publishes a dead letter like a consumer that gives up.
func (c *cemetery) bury(id, reason string) {
	c.t.Helper()
	c.buryFrom(rabbitmq.QueueConfirmed, id, reason)
}

func (c *cemetery) buryFrom(queue, id, reason string) {
	c.t.Helper()
	message := amqp.Publishing{
		MessageId: id, Type: "ORDER_CONFIRMED", DeliveryMode: amqp.Persistent, Body: []byte(`{"id":"` + id + `"}`),
		Headers: amqp.Table{
			"traceparent": "00-1", rabbitmq.HeaderAttempt: int32(5), rabbitmq.HeaderReason: reason,
			rabbitmq.HeaderQueue: queue, rabbitmq.HeaderFailed: time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC),
		},
	}
	confirm, err := c.ch.PublishWithDeferredConfirm(rabbitmq.DeadLetterExchange, rabbitmq.DeadLetterKey, true, false, message)
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

// await waits until the queue holds n messages: kept messages return to it a moment after the command has ended.
func (c *cemetery) await(queue string, n int) {
	c.t.Helper()
	what := fmt.Sprintf("%d messages are in %s", n, queue)
	servicestest.Eventually(c.t, patience, what, func() bool { return c.count(queue) == n })
}

// ops runs ops deadletters.
func (c *cemetery) ops(args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	got := run(c.t.Context(), []string{"RABBITMQ_URL=" + c.url}, append([]string{"deadletters"}, args...)...)
	return got.code, got.stdout, got.stderr
}

// must runs ops deadletters and returns its output.
func (c *cemetery) must(args ...string) string {
	c.t.Helper()
	code, stdout, stderr := c.ops(args...)
	if code != exitDone {
		c.t.Fatalf("ops deadletters %v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// apply is must for a change.
func (c *cemetery) apply(reason string, args ...string) string {
	c.t.Helper()
	return c.must(append(args, "--apply", "--operator", "ada", "--reason", reason)...)
}

func TestListGroupsByReasonAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	if out := c.must("list"); out != "no dead letters\n" {
		t.Errorf("an empty queue: %q", out)
	}
	if out := c.must("audit"); out != "nothing has been replayed or discarded yet\n" {
		t.Errorf("an empty audit: %q", out)
	}
	for n := range 3 {
		c.bury(fmt.Sprint("m", n), fmt.Sprintf("order 0197a4b2-6c1e-7d3f-8a55-%012d: the mail server says %d", n, 450+n))
	}
	c.bury("p1", "the body is not an event")
	for range 2 {
		lines := strings.Split(strings.TrimSpace(c.must("list")), "\n")
		if len(lines) != 3 || !strings.Contains(lines[1], "  3      ORDER_CONFIRMED") ||
			!strings.Contains(lines[1], "order …: the mail server says …") || !strings.Contains(lines[2], "the body is not an event") {
			t.Errorf("list:\n%s", strings.Join(lines, "\n"))
		}
		c.await(rabbitmq.DeadLetterQueue, 4)
	}
	shown := c.must("show", "--id", "p1")
	for _, word := range []string{`"reason": "the body is not an event"`, `"attempts": 5`, `"traceparent": "00-1"`, `"id": "p1"`} {
		if !strings.Contains(shown, word) {
			t.Errorf("show lacks %s:\n%s", word, shown)
		}
	}
	c.await(rabbitmq.DeadLetterQueue, 4)
}

func TestReplayedMessagesCarryNoTraceOfTheirFailure(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("m1", "the mail server says 450")
	c.bury("m2", "the mail server says 451")
	c.bury("p1", "the body is not an event")
	group := strings.Fields(strings.Split(c.must("list"), "\n")[1])[0]

	c.await(rabbitmq.DeadLetterQueue, 3)
	if out := c.must("replay", "--group", group); strings.Count(out, "would replay m") != 2 {
		t.Errorf("dry run:\n%s", out)
	}
	c.await(rabbitmq.DeadLetterQueue, 3)
	if n := c.count(rabbitmq.QueueConfirmed); n != 0 {
		t.Errorf("the dry run replayed %d messages", n)
	}
	out := c.apply("the mail server is back", "replay", "--group", group)
	if !strings.HasSuffix(out, "selected: 2, done: 2, impossible: 0\n") {
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
	c.apply("try again", "replay", "--id", "p1")
	c.await(rabbitmq.DeadLetterQueue, 0)
	for _, args := range [][]string{{"replay", "--all"}, {"show", "--id", "p1"}} {
		if code, _, stderr := c.ops(args...); code != exitLeft || !strings.Contains(stderr, "dead letter") {
			t.Errorf("%v, and the queue is empty: exit code %d, %s", args, code, stderr)
		}
	}
}

func TestMessageThatCannotBeReplayedStaysAndDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.buryFrom("ORDER_LOST", "l1", "the queue is unknown")
	c.bury("m1", "the mail server says 450")
	for _, args := range [][]string{{"replay", "--all"}, {"replay", "--all", "--apply", "--operator=ada", "--reason=r"}} {
		code, stdout, stderr := c.ops(args...)
		if code != exitLeft || !strings.Contains(stdout, "cannot replay l1: it failed in queue ORDER_LOST, which does not exist") ||
			!strings.Contains(stdout, "replay m1") || !strings.Contains(stderr, "messages that cannot be replayed: 1 of 2") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	c.await(rabbitmq.QueueConfirmed, 1)
	c.await(rabbitmq.DeadLetterQueue, 1)
	c.apply("sent by a test", "discard", "--id", "l1")
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
	c.apply("r", "replay", "--all", "--rate", "20")
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("five messages took %s at 20 a second", took)
	}
	c.await(rabbitmq.QueueConfirmed, 5)
}

func TestAuditKeepsMessagesOperatorsAndReasons(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("p1", "the body is not an event")
	c.bury("m1", "the mail server says 450")
	if out := c.must("discard", "--all"); strings.Count(out, "would discard") != 2 {
		t.Errorf("dry run:\n%s", out)
	}
	c.await(rabbitmq.DeadLetterQueue, 2)
	c.apply("sent by a test", "discard", "--id", "p1")
	c.apply("the mail server is back", "replay", "--all")
	c.await(rabbitmq.DeadLetterQueue, 0)
	c.await(rabbitmq.QueueConfirmed, 1)
	lines := strings.Split(strings.TrimSpace(c.must("audit")), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "ada  discard  p1  ORDER_CONFIRMED: sent by a test") ||
		!strings.Contains(lines[1], "ada  replay  m1  ORDER_CONFIRMED: the mail server is back") {
		t.Errorf("audit:\n%s", strings.Join(lines, "\n"))
	}
}

func TestKilledReplayLosesNothing(t *testing.T) {
	t.Parallel()
	const buried = 40
	c := newCemetery(t)
	for n := range buried {
		c.bury(fmt.Sprint("m", n), "the mail server says 450")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "deadletters", "replay", "--all", "--rate", "100",
		"--apply", "--operator", "ada", "--reason", "r")
	cmd.Env = []string{asProgram + "=1", "RABBITMQ_URL=" + c.url}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	servicestest.Eventually(t, patience, "a quarter is replayed", func() bool {
		return c.count(rabbitmq.QueueConfirmed) >= buried/4
	})
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
		t.Errorf("%d of %d messages are left", len(seen), buried)
	}
}

func TestDeadLettersAsJSON(t *testing.T) {
	t.Parallel()
	c := newCemetery(t)
	c.bury("m1", "the mail server says 450")
	c.buryFrom("ORDER_LOST", "l1", "the queue is unknown")
	c.await(rabbitmq.DeadLetterQueue, 2)
	var shown struct {
		ID   string
		Body struct{ ID string }
	}
	err := json.Unmarshal([]byte(c.must("show", "--id", "m1", "--json")), &shown)
	if err != nil || shown.ID != "m1" || shown.Body.ID != "m1" {
		t.Errorf("show: %+v, %v", shown, err)
	}
	if n := len(jsonLines[letterGroup](t, c.must("list", "--json"))); n != 2 {
		t.Errorf("list: %d lines, want 2", n)
	}
	_, out, _ := c.ops("replay", "--all", "--json", "--apply", "--operator=ada", "--reason=r")
	lines := jsonLines[struct {
		handled
		Summary *handledCount
	}](t, out)
	want := []handled{
		{Action: "replay", ID: "m1", Queue: "ORDER_CONFIRMED", Reason: "the mail server says 450", Applied: true},
		{Action: "replay", ID: "l1", Queue: "ORDER_LOST", Reason: "the queue is unknown", Problem: lines[1].Problem},
	}
	if diff := cmp.Diff(want, []handled{lines[0].handled, lines[1].handled}); diff != "" || lines[1].Problem == "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&handledCount{Selected: 2, Applied: 1, Left: 1}, lines[2].Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	entries := jsonLines[rabbitmq.AuditEntry](t, c.must("audit", "--json"))
	if len(entries) != 1 || entries[0].Operator != "ada" || entries[0].Why != "r" || entries[0].Letter.ID != "m1" {
		t.Errorf("audit: %+v", entries)
	}
}

func TestBodiesAreReadable(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a": 1}`: `{"a":1}`, "not an event": `"not an event"`, "\xff\x00": `"\"\\xff\\x00\""`,
	} {
		if got, err := json.Marshal(readable([]byte(body))); err != nil || string(got) != want {
			t.Errorf("%q is shown as %s, %v; want %s", body, got, err, want)
		}
	}
}
