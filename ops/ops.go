package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

// Exit codes; the package's documentation says when.
const (
	exitDone = iota
	exitLeft
	exitUsage
	exitIncomplete
)

const exitCodes = `Exit codes:
  0  done: nothing is left to settle, or everything selected was shown or changed
  1  something differs or could not be done: read the output
  2  the arguments or the configuration are wrong: nothing was started
  3  incomplete: a service did not respond or was too busy, or the command was interrupted: run it again
`

// commands is the command line, which kong reads from the tags.
type commands struct {
	JSON    bool             `help:"Write one JSON object a line."`
	Version kong.VersionFlag `help:"Print the version."`

	Deadletters struct {
		List    listLetters    `cmd:"" help:"Count the messages by the reason for which they failed."`
		Show    showLetter     `cmd:"" help:"Show one message with its headers and body."`
		Replay  replayLetters  `cmd:"" help:"Put messages back into the queue in which they failed."`
		Discard discardLetters `cmd:"" help:"Remove messages. The audit stream keeps them for a year."`
		Audit   auditLetters   `cmd:"" help:"Show who replayed or discarded what, and why."`
	} `cmd:"" help:"Messages that consumers gave up (the queue failed_messages)."`

	Payments struct {
		Check  checkPayments  `cmd:"" help:"Compare the payment gateway's ledger with the orders."`
		Repair repairPayments `cmd:"" help:"Compare, give back money that must not be kept, and book refunds as the gateway has them."`
	} `cmd:"" help:"Does the payment gateway keep what the orders say?"`

	Stock struct {
		Check     checkStock    `cmd:"" help:"Compare the counters of products with the ledger. Safe under load."`
		Repair    repairStock   `cmd:"" help:"Compare, and set counters to what the ledger says."`
		Movements showMovements `cmd:"" help:"Show the ledger of one product, oldest first."`
	} `cmd:"" help:"Do the catalog's counters agree with its ledger?"`
}

// command is what every leaf of commands can do.
type command interface {
	validate() error           // checks the flags beyond what kong does
	variables() []env.Variable // that it is configured by
	configure(environ []string) error
	run(ctx context.Context, out *output) error
}

// Run runs the command that args name and returns the exit code.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var line commands
	answered := false // by --help or --version
	parser := newParser(&line, stdout, stderr, func(int) { answered = true })
	parsed, err := parser.Parse(args)
	if answered {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(stderr, "ops: %v\n(ops --help lists the commands, ops COMMAND --help its flags)\n", err)
		return exitUsage
	}
	c := commandOf(parsed.Selected())
	out := &output{out: stdout, progress: stderr, json: line.JSON}
	return execute(ctx, parsed.Selected().FullPath(), c, environ, out, stderr)
}

func newParser(line *commands, stdout, stderr io.Writer, exit func(int)) *kong.Kong {
	return kong.Must(line,
		kong.Name("ops"),
		kong.Description("What operators do by hand. A dry run unless --apply is given."),
		kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(printHelp),
		kong.Vars{"version": "ops " + program.Version()},
	)
}

// commandOf returns the command that a leaf of the command line stands for.
func commandOf(leaf *kong.Node) command { return leaf.Target.Addr().Interface().(command) }

// execute carries out a command. It reports every problem of the flags and of the environment before it starts anything.
func execute(ctx context.Context, name string, c command, environ []string, out *output, stderr io.Writer) int {
	if err := errors.Join(c.validate(), c.configure(environ)); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n(%s --help lists the flags and environment variables)\n", name, err, name)
		return exitUsage
	}
	err := c.run(ctx, out)
	if err == nil {
		err = out.err // the reader of stdout is gone, so what it was to be told is not known
	}
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if _, ok := errors.AsType[misconfigured](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[left](err); ok && ctx.Err() == nil {
		return exitLeft
	}
	return exitIncomplete
}

// left is the error of a command that did its work, after which something still differs or could not be done.
type left string

func (l left) Error() string { return string(l) }

// leftf formats a left.
func leftf(format string, args ...any) error { return left(fmt.Sprintf(format, args...)) }

// misconfigured is the error of a value that only the adapter that uses it can judge. It starts with the variable's name.
type misconfigured struct{ error }

// printHelp is kong's help with what it cannot know: the environment variables and the exit codes.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	variables := variablesOf(node)
	if node.Leaf() {
		fmt.Fprint(ctx.Stdout, "\nEnvironment variables (name, default, meaning):\n")
	} else {
		fmt.Fprint(ctx.Stdout, "\nEnvironment variables (name, default, meaning); each command requires only its own:\n")
	}
	env.Usage(ctx.Stdout, variables)
	fmt.Fprintf(ctx.Stdout, "\n%s", exitCodes)
	return nil
}

// variablesOf lists the environment variables of a command, or of all commands below a node.
func variablesOf(node *kong.Node) []env.Variable {
	if node.Leaf() {
		return commandOf(node).variables()
	}
	var all []env.Variable
	for _, child := range node.Children {
		for _, v := range variablesOf(child) {
			known := func(other env.Variable) bool { return other.Name == v.Name }
			if !slices.ContainsFunc(all, known) {
				all = append(all, v)
			}
		}
	}
	return all
}
