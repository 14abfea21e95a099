package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/embedded"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/engine"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
)

// Exit codes, besides those of the command of `devstack exec`.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// The kernel kills a child with PR_SET_PDEATHSIG when the thread that started it ends. So the main goroutine stays on the
	// main thread, which lives as long as the process.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// command is one of devstack's commands.
type command func(ctx context.Context, args []string, stdout io.Writer) error

var commands = map[string]command{
	"up":     up,
	"down":   down,
	"stop":   stopServices,
	"start":  startServices,
	"status": status,
	"logs":   logs,
	"clean":  clean,
	"env":    printEnv,
	"exec":   execute,
}

// hidden are the commands with which devstack runs itself. They handle signals themselves.
var hidden = map[string]func(args []string) error{
	superviseCommand: supervise,
	rootfs.Command:   func(args []string) error { return rootfs.RunRecipe(args[0]) },
	embedded.Command: func(args []string) error { return engine.Run(args[0], os.Getenv(embedded.SettingsVariable)) },
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage())
		return exitUsage
	}
	name, args := args[0], args[1:]
	if internal := hidden[name]; internal != nil {
		return report(internal(args), stderr)
	}
	if name == "help" || name == "--help" || name == "-h" {
		fmt.Fprint(stdout, usage())
		return exitOK
	}
	c := commands[name]
	if c == nil {
		fmt.Fprintf(stderr, "devstack: there is no command %q\n\n%s", name, usage())
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return report(c(ctx, args, stdout), stderr)
}

// usageError is a mistake on the command line; nothing was started.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// report prints the error, unless it is nil, and returns the exit code.
func report(err error, stderr io.Writer) int {
	var usage usageError
	var ofCommand *exec.ExitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ofCommand):
		return ofCommand.ExitCode()
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "devstack:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "devstack:", err)
	return exitFailed
}
