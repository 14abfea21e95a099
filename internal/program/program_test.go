package program_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/program"
)

type config struct {
	URL string `env:"SOME_URL,required,notEmpty" secret:"true" help:"where it is"`
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

func TestUnknownArgumentIsRefused(t *testing.T) {
	t.Parallel()
	code, _, stderr := execute(t, []string{"--port=1"}, []string{"SOME_URL=x"}, neverRun)
	if code != program.ExitUsage || !strings.Contains(stderr, "--port=1") {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

func TestProfilesAreOfferedOnLoopbackOnlyAndOnlyOnRequest(t *testing.T) {
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
	var offered error
	run := func(ctx context.Context, _ config, _ *slog.Logger) error { offered = ask(ctx); return nil }
	code, _, stderr := execute(t, nil, []string{"SOME_URL=x", "PPROF_ADDR=" + addr}, run)
	if code != program.ExitOK || offered != nil {
		t.Errorf("exit %d, profiles: %v\n%s", code, offered, stderr)
	}
	if err := ask(t.Context()); err == nil {
		t.Error("profiles are still offered when the program has ended")
	}
	if execute(t, nil, []string{"SOME_URL=x"}, run); offered == nil {
		t.Error("profiles are offered although nobody asked for them")
	}
}

func TestExitCodeTellsHowItEnded(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{program.ExitOK: nil, program.ExitFailed: errors.New("the disk is full")} {
		code, _, stderr := execute(t, nil, []string{"SOME_URL=x"}, func(context.Context, config, *slog.Logger) error { return err })
		if code != want || err != nil && !strings.Contains(stderr, err.Error()) {
			t.Errorf("%v: exit %d, want %d\n%s", err, code, want, stderr)
		}
	}
	code, _, _ := execute(t, nil, []string{"SOME_URL=x"}, func(context.Context, config, *slog.Logger) error { return context.Canceled })
	if code != program.ExitOK {
		t.Errorf("being told to stop is exit %d", code)
	}
}
