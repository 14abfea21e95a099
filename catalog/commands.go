package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

// The commands besides serving.
const (
	checkCommand     = "check"
	repairCommand    = "repair"
	movementsCommand = "movements"
)

const CommandList = "`catalog check`, `repair` and `movements` look after its stock"

func isCommand(arg string) bool {
	return slices.Contains([]string{checkCommand, repairCommand, movementsCommand}, arg)
}

const commandUsage = `catalog: looks after the stock

  catalog check     [--product ID] [--json]
  catalog repair    [--product ID] [--json] --reason TEXT [--apply]
  catalog movements --product ID [--json]

  --product ID   one product; otherwise all, deleted ones too
  --reason TEXT  why, for the ledger
  --apply        repair; without it repair only says what it would do
  --json         one JSON object a line

check and repair may run while everybody works. Exit codes: 0 counters and ledger agree (or all were repaired),
1 a product has drifted, 2 wrong arguments or configuration, 3 the work could not be completed.

Environment variables (name, default, meaning):

`

// Exit codes of the commands, besides those of every program.
const (
	exitDrifted    = 1
	exitIncomplete = 3
)

// storeConfig is where the stock is.
type storeConfig struct {
	MongoDBURI string `env:"MONGODB_URI,required,notEmpty" secret:"true" help:"server that speaks MongoDB's protocol, as in mongodb://127.0.0.1:27117/"`
	Database   string `env:"MONGODB_DATABASE,notEmpty" envDefault:"catalog" help:"name of the database"`
}

// request is what the arguments ask for.
type request struct {
	command, product, reason string
	apply, json              bool
}

func parse(args []string) (request, error) {
	r := request{command: args[0]}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&r.product, "product", "", "")
	set.BoolVar(&r.json, "json", false, "")
	if r.command == repairCommand {
		set.StringVar(&r.reason, "reason", "", "")
		set.BoolVar(&r.apply, "apply", false, "")
	}
	err := set.Parse(args[1:])
	switch {
	case err != nil:
		return r, err
	case set.NArg() > 0:
		return r, fmt.Errorf("unknown argument %q", set.Arg(0))
	case r.command == repairCommand && r.apply && r.reason == "":
		return r, errors.New("--apply wants a --reason, for the ledger")
	case r.command == movementsCommand && r.product == "":
		return r, errors.New("movements wants a --product")
	}
	return r, nil
}

// execute runs a command and returns its exit code.
// Command runs one of the commands above and returns the exit code; ok is false when args name none.
func Command(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (code int, ok bool) {
	if len(args) == 0 || !isCommand(args[0]) {
		return 0, false
	}
	return execute(ctx, args, environ, stdout, stderr), true
}

func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	r, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, commandUsage)
		env.Usage(stdout, env.Variables[storeConfig]())
		return program.ExitOK
	}
	var c storeConfig
	if err == nil {
		c, err = env.Parse[storeConfig](environ)
	}
	if err != nil {
		fmt.Fprintf(stderr, "catalog: %v\n(catalog %s --help explains)\n", err, args[0])
		return program.ExitUsage
	}
	store, err := mongodb.Open(c.MongoDBURI, c.Database)
	if err != nil {
		fmt.Fprintf(stderr, "catalog: MONGODB_URI: %v\n", err)
		return program.ExitUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	defer closeStore(ctx, store, log)
	drifted, err := keeper{store, stock.New(store, stock.Options{Log: log}), stdout, r}.do(ctx)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "catalog: %v\n", err)
		return exitIncomplete
	case drifted:
		return exitDrifted
	}
	return program.ExitOK
}

// keeper carries out a request.
type keeper struct {
	ledger stock.Ledger
	stock  *stock.Service
	out    io.Writer
	request
}

// do reports whether a drift is left.
func (k keeper) do(ctx context.Context) (drifted bool, err error) {
	if k.command == movementsCommand {
		return false, k.movements(ctx)
	}
	found, err := k.audit(ctx)
	if err != nil {
		return false, err
	}
	for _, d := range found.Drifts {
		k.tell(d)
	}
	left := len(found.Drifts)
	if k.apply {
		n, err := k.repair(ctx, found.Drifts)
		if err != nil {
			return true, err
		}
		left -= n
	}
	if !k.json {
		fmt.Fprintf(k.out, "%d products: %d drifted, %d repaired\n", found.Products, len(found.Drifts), len(found.Drifts)-left)
	}
	if n := len(found.Undecided); n > 0 {
		return left > 0, fmt.Errorf("%d products were too busy to be compared, among them %s: run again", n, found.Undecided[0])
	}
	return left > 0, nil
}

func (k keeper) audit(ctx context.Context) (stock.Findings, error) {
	if k.product == "" {
		return k.stock.Audit(ctx, k.ledger)
	}
	found, err := k.stock.AuditProducts(ctx, k.ledger, []string{k.product})
	if err == nil && found.Products == 0 {
		err = fmt.Errorf("product %s: %w", k.product, stock.ErrProduct)
	}
	return found, err
}

// repair returns how many of the drifts it repaired. One that cannot be repaired does not stop the others.
func (k keeper) repair(ctx context.Context, drifts []stock.Drift) (n int, err error) {
	var errs []error
	for _, d := range drifts {
		if _, err := k.stock.Repair(ctx, k.ledger, d.ProductID, k.reason); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// shownDrift is a drift as it is printed.
type shownDrift struct {
	ProductID string
	Is, Owed  stock.Counters
	Repair    stock.Delta // what a repair adds
}

func (k keeper) tell(d stock.Drift) {
	if k.json {
		_ = json.NewEncoder(k.out).Encode(shownDrift{d.ProductID, d.Is, d.Owed, d.Delta()})
		return
	}
	delta := d.Delta()
	fmt.Fprintf(k.out, "%s: available %s, held %s, sold %s, restocked %s, marks %s\n", d.ProductID,
		versus(d.Is.Available, delta.Available), versus(d.Is.Held, delta.Held), versus(d.Is.Sold, delta.Sold),
		versus(d.Is.Restocked, delta.Restocked), versus(int64(d.Is.Marks), int64(delta.Marks)))
}

// versus shows a counter, and what it should be when it is not.
func versus(is, delta int64) string {
	if delta == 0 {
		return fmt.Sprint(is)
	}
	return fmt.Sprintf("%d (should be %d)", is, is+delta)
}

func (k keeper) movements(ctx context.Context) error {
	all, err := stock.Movements(ctx, k.ledger, k.product)
	if err != nil {
		return err
	}
	if k.json {
		enc := json.NewEncoder(k.out)
		for _, m := range all {
			if err := enc.Encode(m); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(k.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tKIND\tAVAILABLE\tHELD\tSOLD\tRESTOCKED\tBY\tREASON")
	for _, m := range all {
		fmt.Fprintf(w, "%s\t%s\t%+d\t%+d\t%+d\t%+d\t%s\t%s\n", m.At.UTC().Format(time.RFC3339), m.Kind,
			m.Available, m.Held, m.Sold, m.Restocked, m.Reservation, m.Reason)
	}
	return w.Flush()
}
