package program_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"ordersaga/internal/program"
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
