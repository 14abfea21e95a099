package program_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/program"
)

type config struct {
	URL string `env:"SOME_URL,notEmpty" secret:"true" help:"where it is"`
}

// TestMain runs a program instead of the tests in the process that TestOnlyTermAndIntStopAProgram starts.
func TestMain(m *testing.M) {
	if os.Getenv("SOME_URL") == "" {
		os.Exit(m.Run())
	}
	program.Main("prog", "waits", func(ctx context.Context, _ config, log *slog.Logger) error {
		log.Info("running")
		<-ctx.Done()
		log.Info("draining")
		return nil
	})
}

func TestOnlyTermAndIntStopAProgram(t *testing.T) {
	t.Parallel()
	for _, last := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := exec.CommandContext(t.Context(), os.Args[0])
		p.Env = append(os.Environ(), "SOME_URL=x")
		logs, err := p.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(logs)
		for lines.Scan() && !strings.Contains(lines.Text(), "running") {
		}
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, last} {
			if err := p.Process.Signal(s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
		var rest strings.Builder
		for lines.Scan() {
			rest.WriteString(lines.Text())
		}
		if err := p.Wait(); err != nil || !strings.Contains(rest.String(), "draining") {
			t.Errorf("%s: %v, and after the signals the log has %s", last, err, rest.String())
		}
	}
}

func execute(t *testing.T, args, environ []string, run program.Run[config]) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program.Execute(t.Context(), "prog", "does things", args, environ, &out, &errs, run)
	return code, out.String(), errs.String()
}

func neverRun(context.Context, config, *slog.Logger) error { panic("the program was run") }

func TestWrongConfigurationIsNamedAndNothingIsStarted(t *testing.T) {
	t.Parallel()
	code, _, stderr := execute(t, nil, []string{"LOG_LEVEL=loud"}, neverRun)
	if code != program.ExitUsage || !strings.Contains(stderr, "SOME_URL") || !strings.Contains(stderr, "LOG_LEVEL") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestHelpListsEveryVariable(t *testing.T) {
	t.Parallel()
	code, stdout, _ := execute(t, []string{"--help"}, nil, neverRun)
	if code != program.ExitOK || !strings.Contains(stdout, "SOME_URL") || !strings.Contains(stdout, "LOG_LEVEL") {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
}

func TestVersionIsShownOnRequestAndLoggedAtTheStart(t *testing.T) {
	t.Parallel()
	code, stdout, _ := execute(t, []string{"--version"}, nil, neverRun)
	if want := "prog " + program.Version() + "\n"; code != program.ExitOK || stdout != want {
		t.Errorf("exit %d: %q, want %q", code, stdout, want)
	}
	run := func(context.Context, config, *slog.Logger) error { return nil }
	_, _, stderr := execute(t, nil, []string{"SOME_URL=x"}, run)
	var first struct{ Msg, Version string }
	if err := json.Unmarshal([]byte(strings.SplitAfter(stderr, "\n")[0]), &first); err != nil || first.Version != program.Version() {
		t.Errorf("the first line of the log does not hold the version:\n%s", stderr)
	}
}

func TestUnknownArgumentIsRefused(t *testing.T) {
	t.Parallel()
	code, _, stderr := execute(t, []string{"--port=1"}, []string{"SOME_URL=x"}, neverRun)
	if code != program.ExitUsage || !strings.Contains(stderr, "--port=1") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestProfilesAreServedOnLoopbackOnlyAndOnlyOnRequest(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:6060", "192.0.2.1:6060", "6060", "localhost"} {
		code, _, stderr := execute(t, nil, []string{"SOME_URL=x", "PPROF_ADDR=" + addr}, neverRun)
		if code != program.ExitUsage || !strings.Contains(stderr, "PPROF_ADDR") {
			t.Errorf("%s: exit %d:\n%s", addr, code, stderr)
		}
	}
	addr := porttest.FreeAddress(t)
	ask := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/debug/pprof/heap", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = errors.New(res.Status)
			}
		}
		return err
	}
	var served error
	run := func(ctx context.Context, _ config, _ *slog.Logger) error { served = ask(ctx); return nil }
	code, _, stderr := execute(t, nil, []string{"SOME_URL=x", "PPROF_ADDR=" + addr}, run)
	if code != program.ExitOK || served != nil {
		t.Errorf("exit %d, profiles: %v\n%s", code, served, stderr)
	}
	if err := ask(t.Context()); err == nil {
		t.Error("profiles are still served after the program has ended")
	}
	if execute(t, nil, []string{"SOME_URL=x"}, run); served == nil {
		t.Error("profiles are served without PPROF_ADDR")
	}
}

func TestExitCodeTellsHowItEnded(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{program.ExitOK: nil, program.ExitFailed: errors.New("the disk is full")} {
		run := func(context.Context, config, *slog.Logger) error { return err }
		code, _, stderr := execute(t, nil, []string{"SOME_URL=x"}, run)
		if code != want || err != nil && !strings.Contains(stderr, err.Error()) {
			t.Errorf("%v: exit %d, want %d\n%s", err, code, want, stderr)
		}
	}
	stopped := func(context.Context, config, *slog.Logger) error { return context.Canceled }
	code, _, _ := execute(t, nil, []string{"SOME_URL=x"}, stopped)
	if code != program.ExitOK {
		t.Errorf("exit %d after being told to stop, want 0", code)
	}
}
