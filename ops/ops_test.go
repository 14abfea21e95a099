package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
)

// needed are the flags without which a command does not run.
var needed = map[string][]string{
	"deadletters list":    nil,
	"deadletters show":    {"--id=x"},
	"deadletters replay":  {"--all"},
	"deadletters discard": {"--all"},
	"deadletters audit":   nil,
	"payments check":      nil,
	"payments repair":     nil,
	"stock check":         nil,
	"stock repair":        nil,
	"stock movements":     {"--product=x"},
}

// unreachable is an environment with secrets in it and services that do not run.
var unreachable = []string{
	"RABBITMQ_URL=amqp://user:hunter2@127.0.0.1:1/",
	"DATABASE_URL=postgres://user:hunter2@127.0.0.1:1/x", "STRIPE_API_URL=http://127.0.0.1:1", "STRIPE_API_KEY=sk_test_hunter2",
	"MONGODB_URI=mongodb://user:hunter2@127.0.0.1:1/",
}

// leaf is a command of the command line.
type leaf struct {
	*kong.Node
	args []string // its name and the flags that it needs
}

func (l leaf) changes() bool { return l.has("apply") }

func (l leaf) has(flag string) bool {
	return slices.ContainsFunc(l.Flags, func(f *kong.Flag) bool { return f.Name == flag })
}

// eachCommand runs the test for every command, which it finds in the command line itself.
func eachCommand(t *testing.T, test func(t *testing.T, l leaf)) {
	t.Helper()
	t.Parallel()
	model := newParser(&commands{}, io.Discard, io.Discard, func(int) {}).Model
	leaves := model.Leaves(false)
	if len(leaves) != len(needed) {
		t.Errorf("%d commands, but this test knows %d", len(leaves), len(needed))
	}
	for _, node := range leaves {
		name := strings.TrimPrefix(node.FullPath(), "ops ")
		flags, known := needed[name]
		if !known {
			t.Errorf("this test does not know ops %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, leaf{node, append(strings.Fields(name), flags...)})
		})
	}
}

// result is what a run of ops printed, and its exit code.
type result struct {
	code           int
	stdout, stderr string
}

func run(ctx context.Context, environ []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := Run(ctx, args, environ, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func TestHelpOfEveryCommandNamesItsVariablesAndTheExitCodes(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		got := run(t.Context(), nil, append(l.args, "--help")...)
		want := []string{exitCodes, "--json"}
		for _, v := range commandOf(l.Node).variables() {
			want = append(want, v.Name)
		}
		for _, text := range want {
			if got.code != exitDone || got.stderr != "" || !strings.Contains(got.stdout, text) {
				t.Errorf("exit code %d, %q is missing in:\n%s%s", got.code, text, got.stdout, got.stderr)
			}
		}
	})
}

func TestEveryCommandRequiresItsOwnVariablesAndNoOthers(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		got := run(t.Context(), nil, l.args...)
		if got.code != exitUsage || got.stdout != "" {
			t.Errorf("exit code %d, %s", got.code, got.stdout)
		}
		own := map[string]bool{}
		for _, v := range commandOf(l.Node).variables() {
			own[v.Name] = v.Required
		}
		for _, e := range unreachable {
			name, _, _ := strings.Cut(e, "=")
			if strings.Contains(got.stderr, name+": is required") != own[name] {
				t.Errorf("%s is required: %t; the problems are:\n%s", name, own[name], got.stderr)
			}
		}
	})
}

func TestWrongVariablesAreNamedAndNotShown(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		environ := []string{
			"RABBITMQ_URL=hunter2", "DATABASE_URL=hunter2", "STRIPE_API_URL=hunter2", "STRIPE_API_KEY=", "MONGODB_URI=hunter2",
		}
		got := run(t.Context(), environ, l.args...)
		for _, v := range commandOf(l.Node).variables() {
			if v.Name != "MONGODB_DATABASE" && !strings.Contains(got.stderr, v.Name) {
				t.Errorf("%s is not named in:\n%s", v.Name, got.stderr)
			}
		}
		if got.code != exitUsage || strings.Contains(got.stdout+got.stderr, "hunter2") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
}

func TestUnreachableServicesMakeEveryCommandIncompleteAndShowNoSecret(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		for _, more := range [][]string{nil, {"--json"}} {
			got := run(t.Context(), unreachable, append(l.args, more...)...)
			if got.code != exitIncomplete || got.stdout != "" || got.stderr == "" || strings.Contains(got.stderr, "hunter2") {
				t.Errorf("%q: exit code %d\nstdout: %s\nstderr: %s", more, got.code, got.stdout, got.stderr)
			}
		}
	})
}

func TestEveryChangeIsDryUnlessAppliedByAnOperatorForAReason(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		if !l.changes() {
			if l.has("operator") || l.has("reason") {
				t.Error("a command that changes nothing has --operator or --reason")
			}
			return
		}
		for missing, flags := range map[string][]string{
			"--operator": {"--apply", "--reason=x"},
			"--reason":   {"--apply", "--operator=ann", "--reason="},
		} {
			got := run(t.Context(), unreachable, append(l.args, flags...)...)
			if got.code != exitUsage || !strings.Contains(got.stderr, "--apply requires "+missing) {
				t.Errorf("%q: exit code %d, %s", flags, got.code, got.stderr)
			}
		}
		// A dry run accepts both, so that --apply can be appended to it.
		got := run(t.Context(), unreachable, append(l.args, "--operator=ann", "--reason=x")...)
		if got.code != exitIncomplete {
			t.Errorf("dry run: exit code %d, %s", got.code, got.stderr)
		}
	})
}

func TestInterruptedCommandsAreIncomplete(t *testing.T) {
	eachCommand(t, func(t *testing.T, l leaf) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := run(ctx, unreachable, l.args...); got.code != exitIncomplete {
			t.Errorf("exit code %d, %s", got.code, got.stderr)
		}
	})
}

func TestWrongArgumentsAreExplained(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                                  "deadletters",
		"bury":                              "bury",
		"deadletters":                       "audit",
		"deadletters bury":                  "bury",
		"deadletters show":                  "--id",
		"deadletters show --id a b":         "b",
		"deadletters list x":                "x",
		"deadletters list --all":            "--all",
		"deadletters replay":                "--group",
		"deadletters replay --id a --all":   "--all",
		"deadletters replay --all --rate 0": "--rate",
		"deadletters discard --apply":       "--id",
		"payments check --fix":              "--fix",
		"payments check all":                "ORDER",
		"payments check --apply":            "--apply",
		"payments check --operator=ann":     "--operator",
		"payments check --min-age=-1h":      "negative",
		"payments repair --since=-1h":       "negative",
		"stock check --apply":               "--apply",
		"stock check everything":            "everything",
		"stock movements":                   "--product",
	} {
		got := run(t.Context(), unreachable, strings.Fields(args)...)
		if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) {
			t.Errorf("ops %s: exit code %d, %s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"--help", "--version"} {
		if got := run(t.Context(), nil, arg); got.code != exitDone || got.stdout == "" || got.stderr != "" {
			t.Errorf("%s: %+v", arg, got)
		}
	}
}

func TestLongWorkTellsItsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var progress bytes.Buffer
		read := (&output{progress: &progress}).counting("orders read")
		for range 12 {
			read(100)
			time.Sleep(time.Second) // of synctest's clock
		}
		if want := "600 orders read\n1100 orders read\n"; progress.String() != want {
			t.Errorf("progress is %q, want %q", &progress, want)
		}
	})
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		out := &output{out: full{}, json: asJSON}
		tab := out.table("A")
		tab.row(1, 1)
		tab.end("nothing")
		if out.err == nil {
			t.Errorf("JSON %t: no error", asJSON)
		}
	}
}

// jsonLines returns what a command wrote with --json.
func jsonLines[T any](t *testing.T, text string) []T {
	t.Helper()
	var all []T
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var v T
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v in: %s", err, text)
		}
		all = append(all, v)
	}
}

// What is shown comes from messages and other systems.
func TestNothingForgesARowOrCommandsTheTerminal(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	out := &output{out: &text}
	const forged = "broken\nREPAIR  +2\x1b[1A\u202e"
	table := out.table("KIND", "REASON")
	table.row(nil, "ADJUST", forged)
	table.row(nil, "ADJUST", errors.New(forged))
	table.end("nothing")
	out.line(nil, "%s: %v", forged, errors.New(forged))
	out.line(nil, "%s", []byte("{\n  \"a\u009b\"\n}"))
	want := `KIND    REASON
ADJUST  broken\nREPAIR  +2\x1b[1A\u202e
ADJUST  broken\nREPAIR  +2\x1b[1A\u202e
broken\nREPAIR  +2\x1b[1A\u202e: broken\nREPAIR  +2\x1b[1A\u202e
{
  "a\u009b"
}
`
	if text.String() != want {
		t.Errorf("got\n%q\nwant\n%q", text.String(), want)
	}
	for _, c := range []change{{Operator: forged}, {Reason: forged}, {Operator: "  "}, {Reason: "a\x00"}} {
		if c.validate() == nil {
			t.Errorf("accepted: %+v", c)
		}
	}
}
