// Package program is what every program's main does: --help, --version, configuration, JSON logs, metrics and traces, signals
// and exit codes.
//
// A main is three lines around a run function:
//
//	func main() {
//		program.Main("api", "orders over HTTP", api.Run)
//	}
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// Exit codes of every program.
const (
	ExitOK     = 0
	ExitFailed = 1 // it ran, and failed
	ExitUsage  = 2 // wrong arguments or configuration; nothing was started
)

// Run is the body of a program. It returns when ctx is cancelled (SIGTERM or SIGINT) and everything it started has
// ended, or when it cannot go on.
type Run[C any] func(ctx context.Context, config C, log *slog.Logger) error

// configuration is a program's own configuration and the part that every program has.
type configuration[C any] struct {
	Program   C
	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARN or ERROR"`
	Profiling profiling
	Telemetry telemetry.Config
}

// garbagePercent is GOGC unless the environment sets it. Our programs keep a few megabytes in memory, and what they
// allocate for an order is short-lived: with Go's default of 100 they would collect garbage several times a second
// under load. It costs some tens of megabytes.
const garbagePercent = 400

// ignored are the signals that other programs take as a request to read files again. Ours do so by themselves; without
// this, such a signal would kill them without draining.
var ignored = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

// Main runs a program and exits the process.
func Main[C any](name, purpose string, run Run[C]) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	signal.Ignore(ignored...)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := Execute(ctx, name, purpose, os.Args[1:], os.Environ(), os.Stdout, os.Stderr, run)
	stop()
	os.Exit(code)
}

// Execute is Main without the process around it. Logs go to stderr as JSON, one line each.
func Execute[C any](
	ctx context.Context, name, purpose string, args, environ []string, stdout, stderr io.Writer, run Run[C],
) int {
	if len(args) > 0 {
		return explain(name, purpose, args, stdout, stderr, env.Variables[configuration[C]]())
	}
	config, err := env.Parse[configuration[C]](environ)
	if err != nil {
		fmt.Fprintf(stderr, "%s: the configuration is wrong:\n%v\n(%s --help lists every variable)\n", name, err, name)
		return ExitUsage
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: config.LogLevel})).With("program", name)
	log.Info("starting", "version", Version())
	stop, err := config.Profiling.start(ctx, log)
	if err != nil {
		log.Error("stopped", "error", err.Error())
		return ExitFailed
	}
	defer stop()
	flush, err := telemetry.Start(ctx, build(name), config.Telemetry, log)
	if err != nil {
		log.Error("stopped", "error", err.Error())
		return ExitFailed
	}
	defer flush()
	if err := run(ctx, config.Program, log); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("stopped", "error", err.Error())
		return ExitFailed
	}
	log.Info("stopped")
	return ExitOK
}

// explain carries out --help and --version, the only arguments.
func explain(name, purpose string, args []string, stdout, stderr io.Writer, variables []env.Variable) int {
	switch {
	case len(args) > 1:
	case args[0] == "--version":
		fmt.Fprintln(stdout, name, Version())
		return ExitOK
	case args[0] == "--help" || args[0] == "-help" || args[0] == "-h" || args[0] == "help":
		fmt.Fprintf(stdout, "%s: %s\n\nEnvironment variables (name, default, meaning):\n\n", name, purpose)
		env.Usage(stdout, variables)
		return ExitOK
	}
	fmt.Fprintf(stderr, "%s: unknown arguments %q; it takes only --help or --version, and its configuration from the environment\n",
		name, args)
	return ExitUsage
}
