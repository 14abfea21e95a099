package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

type config struct {
	RabbitMQURL string `env:"RABBITMQ_URL,required,notEmpty" form:"amqp://user:password@host:port/vhost" secret:"true" help:"broker of the order events: amqp://user:password@host:port/vhost"`
	Operator    string `env:"OPERATOR" help:"who acts, for the audit; default USER"`
	User        string `env:"USER" envDefault:"unknown" help:"see OPERATOR"`
}

const usage = `deadletter: looks at messages that nobody could handle, replays or discards them

  deadletter list [--json]
  deadletter show ID
  deadletter replay  (--id ID | --group GROUP | --all) [--dry-run] [--rate N] [--reason TEXT]
  deadletter discard (--id ID | --group GROUP | --all) --reason TEXT [--dry-run]
  deadletter audit [--json]

  --id ID        one message (all copies of it)
  --group GROUP  all that failed in one queue for one reason, as list shows them
  --dry-run      only says what would be done
  --rate N       at most N messages a second; default 50
  --reason TEXT  why, for the audit
  --json         one JSON object a line

Environment variables (name, default, meaning):

`

// request is what the arguments ask for.
type request struct {
	command string
	show    string // the ID to show
	id      string
	group   string
	all     bool
	dryRun  bool
	rate    int
	reason  string
	json    bool
}

// connectTimeout bounds the way to the broker.
const connectTimeout = 15 * time.Second

// execute runs the tool and returns its exit code, which is that of every program.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	r, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		env.Usage(stdout, env.Variables[config]())
		return program.ExitOK
	}
	var c config
	if err == nil {
		c, err = env.Parse[config](environ)
	}
	if err != nil {
		fmt.Fprintf(stderr, "deadletter: %v\n(deadletter --help explains)\n", err)
		return program.ExitUsage
	}
	if err := run(ctx, c, r, stdout); err != nil {
		fmt.Fprintf(stderr, "deadletter: %v\n", err)
		return program.ExitFailed
	}
	return program.ExitOK
}

func parse(args []string) (request, error) {
	if len(args) == 0 {
		return request{}, errors.New("want list, show, replay, discard or audit")
	}
	r := request{command: args[0]}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	switch r.command {
	case "-h", "-help", "--help", "help":
		return r, flag.ErrHelp
	case "list", "audit":
		set.BoolVar(&r.json, "json", false, "")
	case "show":
	case "replay", "discard":
		set.StringVar(&r.id, "id", "", "")
		set.StringVar(&r.group, "group", "", "")
		set.BoolVar(&r.all, "all", false, "")
		set.BoolVar(&r.dryRun, "dry-run", false, "")
		set.IntVar(&r.rate, "rate", 50, "")
		set.StringVar(&r.reason, "reason", "", "")
	default:
		return r, fmt.Errorf("unknown command %q", r.command)
	}
	if err := set.Parse(args[1:]); err != nil {
		return r, err
	}
	rest := set.Args()
	if r.command == "show" && len(rest) == 1 {
		r.show, rest = rest[0], nil
	}
	if len(rest) > 0 {
		return r, fmt.Errorf("%s: unknown arguments %q", r.command, rest)
	}
	return r, r.validate()
}

func (r request) validate() error {
	selections := 0
	for _, given := range []bool{r.id != "", r.group != "", r.all} {
		if given {
			selections++
		}
	}
	acts := r.command == "replay" || r.command == "discard"
	switch {
	case r.command == "show" && r.show == "":
		return errors.New("show: want the ID of a message")
	case acts && selections != 1:
		return fmt.Errorf("%s: want one of --id, --group and --all", r.command)
	case acts && r.rate < 1:
		return fmt.Errorf("%s: --rate must be at least 1", r.command)
	case r.command == "discard" && r.reason == "":
		return errors.New("discard: say why, by --reason")
	}
	return nil
}

func run(ctx context.Context, c config, r request, stdout io.Writer) error {
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	letters, err := rabbitmq.OpenDeadLetters(connecting, rabbitmq.Config{
		URL: c.RabbitMQURL, Name: "deadletter", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer letters.Close()
	t := &tool{letters: letters, out: stdout, by: rabbitmq.By{Operator: c.Operator, Reason: r.reason}}
	if t.by.Operator == "" {
		t.by.Operator = c.User
	}
	switch r.command {
	case "list":
		return t.list(ctx, r.json)
	case "show":
		return t.show(ctx, r.show)
	case "audit":
		return t.audit(ctx, r.json)
	default:
		return t.act(ctx, r)
	}
}
