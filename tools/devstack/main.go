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
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/engine"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/services"
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

// hidden are the commands with which devstack runs itself, each with one argument. They handle signals themselves.
var hidden = map[string]func(arg string) error{
	superviseCommand:       supervise,
	rootfs.Command:         rootfs.RunRecipe,
	services.EngineCommand: engine.Run,
}

// commandLine is what kong reads from the arguments.
type commandLine struct {
	Up     up      `cmd:"" help:"Start the stack and return when everything is ready. Brings a running stack up to date."`
	Down   down    `cmd:"" help:"Stop the stack; its data stays."`
	Stop   stop    `cmd:"" help:"Stop some services, to see how the others cope."`
	Start  start   `cmd:"" help:"Start services that were stopped."`
	Status status  `cmd:"" help:"List the services with their addresses and process IDs."`
	Logs   logs    `cmd:"" help:"Show the services' logs."`
	Clean  clean   `cmd:"" help:"Stop the stack and remove its data."`
	Env    env     `cmd:"" help:"Print variables for tests and tools, or for one program, for eval in a shell."`
	Exec   execute `cmd:"" help:"Run a command with a throwaway stack on free ports."`
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 2 && hidden[args[0]] != nil {
		return report(hidden[args[0]](args[1]), stderr)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	helped := false
	parser := kong.Must(&commandLine{}, kong.Name("devstack"), kong.Description(about), kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Writers(stdout, stderr), kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(newConsole(stdout)))
	command, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		return report(usageError{fmt.Errorf("%w (devstack --help explains)", err)}, stderr)
	}
	return report(command.Run(), stderr)
}

// usageError is a mistake on the command line or in a variable; nothing was started.
type usageError struct{ error }

// report prints the error, unless it is nil, and returns the exit code.
func report(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if ofCommand, ok := errors.AsType[*exec.ExitError](err); ok {
		return ofCommand.ExitCode()
	}
	fmt.Fprintln(stderr, "devstack:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

const about = `Runs PostgreSQL with DocumentDB, RabbitMQ, FerretDB, Temporal with its Web UI, and the project's programs.
Everything listens on 127.0.0.1 only.`

const variables = `
Directories and the Debian mirror:

  DEVSTACK_DATA           the stack's data; default: .devstack in the checkout
  DEVSTACK_CACHE          the root file system, shared by all stacks; default: $HOME/.cache/ordersaga. A new version of its
                          recipe builds a new one of 650 MB; remove old ones while no stack is up
  DEVSTACK_DEBIAN_MIRROR  the source of its packages; default: debootstrap's

DEVSTACK_<PROGRAM>_<VARIABLE> sets a variable of a program when up or start starts it, for example
DEVSTACK_WORKER_STRIPE_API_KEY. Ports, with their defaults:

`

// printHelp adds the environment variables, which kong does not know.
func printHelp(options kong.HelpOptions, command *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, command); err != nil {
		return err
	}
	fmt.Fprint(command.Stdout, variables)
	table := tabwriter.NewWriter(command.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range config.Ports {
		fmt.Fprintf(table, "  %s\t%d\t%s\n", p.Variable(), p.Default, p.Purpose)
	}
	return table.Flush()
}
