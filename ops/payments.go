package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// booksConfig says where the two sides of the comparison are.
type booksConfig struct {
	Orders  string `env:"DATABASE_URL,notEmpty" form:"postgres" help:"orders"`
	Gateway string `env:"STRIPE_API_URL" envDefault:"http://127.0.0.1:12111" form:"http" help:"payment gateway"`
	Key     string `env:"STRIPE_API_KEY,notEmpty" secret:"true" help:"secret API key of the payment gateway"`
}

// compared is what check and repair share. The comparison keeps a short record of every payment in memory, some 150 MB for
// a million.
type compared struct {
	configured[booksConfig]
	Since  time.Duration `help:"Only orders placed in this time, such as 720h; 0: all." default:"0"`
	MinAge time.Duration `help:"Skip orders that are younger: their sagas may be at work." default:"30m"`
}

func (c *compared) validate() error {
	if c.Since < 0 || c.MinAge < 0 {
		return errors.New("--since and --min-age must not be negative")
	}
	return nil
}

type checkPayments struct{ compared }

func (c *checkPayments) run(ctx context.Context, out *output) error {
	return c.report(ctx, out, change{}, "repair gives it back")
}

type repairPayments struct {
	compared
	change
}

func (c *repairPayments) validate() error {
	return errors.Join(c.compared.validate(), c.change.validate())
}

func (c *repairPayments) run(ctx context.Context, out *output) error {
	return c.report(ctx, out, c.change, "--apply gives it back")
}

// paymentCount is the summary.
type paymentCount struct {
	Orders      int `json:"orders"`   // compared
	Payments    int `json:"payments"` // read from the gateway
	Differences int `json:"differences"`
	Left        int `json:"left"` // not repaired
}

// report compares, repairs if the change is to be applied, and says what it found. The offer is what the report says about
// a difference that can be repaired.
func (c *compared) report(ctx context.Context, out *output, change change, offer string) error {
	db, err := pgdb.OpenReader(ctx, c.config.Orders)
	if err != nil {
		return misconfigured{fmt.Errorf("DATABASE_URL: %w", err)}
	}
	defer db.Close()
	gateway, err := stripe.New(stripe.Config{URL: c.config.Gateway, Key: c.config.Key}, slog.New(slog.DiscardHandler))
	if err != nil {
		return misconfigured{fmt.Errorf("STRIPE_API_URL, STRIPE_API_KEY: %w", err)}
	}
	b := books{
		orders: postgres.NewOrders(db.Pool), payments: gateway, now: time.Now(),
		readOrders: out.counting("orders read"), readPayments: out.counting("payments read"),
	}
	found, err := b.compare(ctx, c.Since, c.MinAge)
	if err != nil {
		return err
	}
	if change.Apply {
		b.repair(ctx, change, found.differences)
	}
	if n := printComparison(found, out, offer); n > 0 {
		return leftf("differences left: %d", n)
	}
	return nil
}

// printComparison returns how many differences are left.
func printComparison(found *comparison, out *output, offer string) (left int) {
	t := out.table("ORDER", "STATUS", "WHAT", "TOTAL", "KEPT", "PAYMENT", "REPAIR")
	for _, d := range found.differences {
		if !d.Repaired {
			left++
		}
		t.row(d, d.OrderID, d.Status, d.Kind, moneytext.Plain(d.Total), moneytext.Plain(d.Kept), d.PaymentID, d.outcome(offer))
	}
	t.end("nothing differs")
	n := paymentCount{Orders: found.orders, Payments: found.payments, Differences: len(found.differences), Left: left}
	out.summary(n, "compared %d orders and %d payments; differences: %d, left: %d", n.Orders, n.Payments, n.Differences, n.Left)
	return left
}

// outcome says what became of the difference, or what can be done about it.
func (d difference) outcome(offer string) string {
	switch {
	case d.Repaired:
		return "given back"
	case d.Problem != "":
		return "failed: " + d.Problem
	case d.Kind.repairable():
		return offer
	}
	return "by hand"
}

// repair gives back what must not be kept, one payment after the other, and marks what it did. A payment that cannot be
// given back does not stop the others.
func (b books) repair(ctx context.Context, c change, differences []difference) {
	for i := range differences {
		d := &differences[i]
		if !d.Kind.repairable() {
			continue
		}
		if err := b.giveBack(ctx, c, *d); err != nil {
			d.Problem = err.Error()
			continue
		}
		d.Repaired = true
	}
}

// giveBack records the refund on the order's timeline and then makes it. In the other order, an interruption between the
// two would leave a refund without a record, and the next comparison would not find it. Both are safe to repeat.
func (b books) giveBack(ctx context.Context, c change, d difference) error {
	err := b.orders.AppendTimeline(ctx, d.OrderID, "give-back."+d.PaymentID, order.Entry{
		Type: order.EntryRefunded, At: b.now,
		Detail: fmt.Sprintf("%s gives back %s of payment %s: %s", c.Operator, moneytext.Plain(d.Kept), d.PaymentID, c.Reason),
	})
	if err != nil {
		return err
	}
	return b.payments.GiveBack(ctx, d.OrderID, d.PaymentID)
}
