package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
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
	Order  string        `arg:"" optional:"" help:"Only this order, whatever its age; shows its payments and refunds."`
	Since  time.Duration `help:"Only orders placed in this time, such as 720h; 0: all." default:"0"`
	MinAge time.Duration `help:"Skip younger orders and refunds: their sagas may be at work." default:"30m"`
}

func (c *compared) validate() error {
	if c.Since < 0 || c.MinAge < 0 {
		return errors.New("--since and --min-age must not be negative")
	}
	if _, err := order.ParseID(c.Order); c.Order != "" && err != nil {
		return fmt.Errorf("ORDER: %w", err)
	}
	return nil
}

type checkPayments struct{ compared }

func (c *checkPayments) run(ctx context.Context, out *output) error {
	return c.report(ctx, out, change{}, "repair")
}

type repairPayments struct {
	compared
	change
}

func (c *repairPayments) validate() error {
	return errors.Join(c.compared.validate(), c.change.validate())
}

func (c *repairPayments) run(ctx context.Context, out *output) error {
	return c.report(ctx, out, c.change, "--apply")
}

// paymentCount is the summary.
type paymentCount struct {
	Orders      int `json:"orders"`   // compared
	Payments    int `json:"payments"` // read from the gateway
	Refunded    int `json:"refunded"` // orders of which the gateway has given back all or a part, by the books
	Differences int `json:"differences"`
	Left        int `json:"left"` // not repaired
}

// report compares, repairs if the change is to be applied, and says what it found. The offer is what makes a repair.
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
		orders: postgres.NewOrders(db.Pool), refunds: postgres.NewRefunds(db.Pool), payments: gateway, now: time.Now(),
		readOrders: out.counting("orders read"), readPayments: out.counting("payments read"),
	}
	var found *comparison
	if c.Order != "" {
		found, err = b.compareOrder(ctx, order.ID(c.Order))
	} else {
		found, err = b.compare(ctx, c.Since, c.MinAge)
	}
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
	if found.account != nil {
		printAccount(found.account, out)
	}
	t := out.table("ORDER", "STATUS", "WHAT", "TOTAL", "EXPECTED", "KEPT", "PAYMENT", "REFUND", "AMOUNT", "REPAIR")
	seen := map[kind]bool{}
	for _, d := range found.differences {
		if d.left() {
			left++
		}
		seen[d.Kind] = true
		t.row(d, d.OrderID, d.Status, d.Kind, moneytext.Plain(d.Total), moneytext.Plain(d.Expected),
			moneytext.Plain(d.Kept), d.PaymentID,
			cmp.Or(string(d.RefundID), d.GatewayID), moneytext.Plain(d.Amount), d.outcome(offer))
	}
	t.end("nothing differs")
	for _, i := range kinds {
		if seen[i.kind] {
			out.text("%s: %s", string(i.kind), i.meaning)
		}
	}
	n := paymentCount{
		Orders: found.orders, Payments: found.payments, Refunded: found.refunded, Differences: len(found.differences), Left: left,
	}
	out.summary(n, "compared %d orders (refunded in part or in full: %d) and %d payments; differences: %d, left: %d",
		n.Orders, n.Refunded, n.Payments, n.Differences, n.Left)
	return left
}

// printAccount shows the money of one order on both sides.
func printAccount(a *account, out *output) {
	type shownRefund struct {
		ID        order.RefundID     `json:"id"`
		Kind      order.RefundKind   `json:"kind"`
		Money     order.RefundMoney  `json:"money"`
		Amount    money.Money        `json:"amount"`
		Status    order.RefundStatus `json:"status"`
		GatewayID string             `json:"gatewayId,omitempty"`
		Settled   bool               `json:"settled"`
	}
	shown := []shownRefund{}
	for _, r := range a.Refunds {
		shown = append(shown, shownRefund{r.ID, r.Kind, r.Money, r.Amount, r.Status, r.GatewayID, r.Settled})
	}
	status := cmp.Or(string(a.Status), "unknown")
	out.line(map[string]any{"account": map[string]any{
		"orderId": a.ID, "status": a.Status, "total": a.Total, "expected": a.Expected, "owed": a.Owed,
		"payments": a.Payments, "refunds": shown, "gatewayRefunds": a.Found,
	}}, "order %s is %s: the total is %s, and the gateway should keep %s",
		string(a.ID), status, moneytext.Plain(a.Total), moneytext.Plain(a.Expected))
	for _, p := range a.Payments {
		amount := func(n int64) string { return moneytext.Plain(money.Money{Amount: n, Currency: p.Currency}) }
		out.text("payment %s: taken %s, given back %s, kept %s",
			p.ID, amount(p.Captured), amount(p.Refunded), amount(p.Kept().Amount))
	}
	for _, r := range shown {
		rest := ""
		if !r.Settled {
			rest = ", not at rest yet"
		}
		out.text("refund %s: %s, money %s, %s, %s%s", string(r.ID), string(r.Kind), string(r.Money), moneytext.Plain(r.Amount),
			string(r.Status), rest)
	}
	for _, g := range a.Found {
		out.text("refund %s at the gateway: %s, %s", g.ID, moneytext.Plain(g.Amount), string(g.Status))
	}
}
