package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

type storeConfig struct {
	MongoDBURI string `env:"MONGODB_URI,notEmpty" secret:"true" help:"catalog: mongodb://user:password@host:port/"`
	Database   string `env:"MONGODB_DATABASE,notEmpty" envDefault:"catalog" help:"name of the catalog's database"`
}

// Validate checks what the fields' types cannot.
func (c storeConfig) Validate() error {
	if err := mongodb.CheckURI(c.MongoDBURI); err != nil {
		return fmt.Errorf("MONGODB_URI: %w", err)
	}
	return nil
}

// audited is the catalog's store. An audit reads IDs for each batch, which makes that the place to see how far it is.
type audited struct {
	stock.Store
	read func(products int)
}

// ProductIDs implements stock.Store.
func (a audited) ProductIDs(ctx context.Context, after string, limit int) ([]string, error) {
	ids, err := a.Store.ProductIDs(ctx, after, limit)
	a.read(len(ids))
	return ids, err
}

// onStock is what the commands on stock share.
type onStock struct{ configured[storeConfig] }

// with opens the store for work, and closes it.
func (c *onStock) with(ctx context.Context, out *output, work func(*stock.Service) error) error {
	store, err := mongodb.Open(c.config.MongoDBURI, c.config.Database)
	if err != nil {
		return misconfigured{fmt.Errorf("MONGODB_URI: %w", err)}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = store.Close(ctx) // loses nothing: the server has acknowledged every write
	}()
	log := slog.New(slog.NewTextHandler(out.progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return work(stock.New(audited{store, out.counting("products read")}, stock.Options{Log: log}))
}

type checkStock struct {
	onStock
	Product string `help:"One product; all by default, deleted ones too." placeholder:"ID"`
}

func (c *checkStock) run(ctx context.Context, out *output) error {
	return c.with(ctx, out, func(units *stock.Service) error { return reportStock(ctx, units, out, c.Product, change{}) })
}

type repairStock struct {
	onStock
	change
	Product string `help:"One product; all by default, deleted ones too." placeholder:"ID"`
}

func (c *repairStock) run(ctx context.Context, out *output) error {
	return c.with(ctx, out, func(units *stock.Service) error { return reportStock(ctx, units, out, c.Product, c.change) })
}

// counters are those of a product.
type counters struct {
	Available int64 `json:"available"`
	Restocked int64 `json:"restocked"`
	Marks     int   `json:"marks"`
}

func countersOf(c stock.Counters) counters { return counters{c.Available, c.Restocked, c.MarkCount} }

// drift is a product whose counters are not what the ledger says.
type drift struct {
	ProductID string   `json:"productId"`
	Is        counters `json:"is"`
	ShouldBe  counters `json:"shouldBe"`
	Repaired  bool     `json:"repaired"`
	Problem   string   `json:"problem,omitempty"` // why the repair did not succeed
}

// stockCount is the summary.
type stockCount struct {
	Products  int `json:"products"`
	Drifted   int `json:"drifted"`
	Repaired  int `json:"repaired"`
	Undecided int `json:"undecided"` // too busy to be compared
}

// reportStock compares, repairs if the change is to be applied, and says what it found. A product that cannot be repaired
// does not stop the others.
func reportStock(ctx context.Context, units *stock.Service, out *output, product string, c change) error {
	found, err := audit(ctx, units, product)
	if err != nil {
		return err
	}
	n := stockCount{Products: found.Products, Drifted: len(found.Drifts), Undecided: len(found.Undecided)}
	for _, d := range found.Drifts {
		shown := drift{ProductID: d.ProductID, Is: countersOf(d.Stored), ShouldBe: countersOf(d.Expected)}
		end := ""
		if c.Apply {
			_, err := units.Repair(ctx, d.ProductID, c.Operator+": "+c.Reason)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				n.Repaired++
				shown.Repaired, end = true, ": repaired"
			} else {
				shown.Problem, end = err.Error(), ": "+err.Error()
			}
		}
		out.line(shown, "%s%s", countersText(d), end)
	}
	out.summary(n, "products: %d, drifted: %d, repaired: %d", n.Products, n.Drifted, n.Repaired)
	switch {
	case n.Undecided > 0:
		return fmt.Errorf("products too busy to be compared: %d, such as %s", n.Undecided, found.Undecided[0])
	case n.Repaired < n.Drifted:
		return leftf("drifted products left: %d", n.Drifted-n.Repaired)
	}
	return nil
}

// audit compares one product with the ledger, or all.
func audit(ctx context.Context, units *stock.Service, product string) (stock.Findings, error) {
	if product == "" {
		return units.Audit(ctx)
	}
	found, err := units.AuditProducts(ctx, []string{product})
	if err == nil && found.Products == 0 {
		err = leftf("there is no product %s", product)
	}
	return found, err
}

func countersText(d stock.Drift) string {
	is, delta := d.Stored, d.Delta()
	return fmt.Sprintf("%s: available %s, restocked %s, marks %s", d.ProductID, versus(is.Available, delta.Available),
		versus(is.Restocked, delta.Restocked), versus(int64(is.MarkCount), int64(delta.Marks)))
}

// versus shows a counter, and what it should be if that differs.
func versus(is, delta int64) string {
	if delta == 0 {
		return fmt.Sprint(is)
	}
	return fmt.Sprintf("%d (should be %d)", is, is+delta)
}

type showMovements struct {
	onStock
	Product string `help:"The product." placeholder:"ID" required:""`
}

func (c *showMovements) run(ctx context.Context, out *output) error {
	return c.with(ctx, out, func(units *stock.Service) error { return movements(ctx, units, out, c.Product) })
}

// movement is an entry of the ledger.
type movement struct {
	ID     string     `json:"id"`
	At     time.Time  `json:"at"`
	Kind   stock.Kind `json:"kind"`
	Change moved      `json:"change"`
	By     string     `json:"by"` // the order or the adjustment
	Reason string     `json:"reason,omitempty"`
}

// moved is by how much a movement changed each number of units.
type moved struct {
	Available int64 `json:"available"`
	Held      int64 `json:"held"`
	Sold      int64 `json:"sold"`
	Restocked int64 `json:"restocked"`
}

func movements(ctx context.Context, units *stock.Service, out *output, product string) error {
	all, err := units.Movements(ctx, product)
	if errors.Is(err, stock.ErrProduct) {
		return leftf("there is no product %s", product)
	}
	if err != nil {
		return err
	}
	t := out.table("TIME", "KIND", "AVAILABLE", "HELD", "SOLD", "RESTOCKED", "BY", "REASON")
	signed := func(n int64) string { return fmt.Sprintf("%+d", n) }
	for _, m := range all {
		change := moved{m.Available, m.Held, m.Sold, m.Restocked}
		shown := movement{ID: m.ID, At: m.At, Kind: m.Kind, Change: change, By: m.Source, Reason: m.Reason}
		t.row(shown, stamp(m.At), m.Kind, signed(m.Available), signed(m.Held), signed(m.Sold), signed(m.Restocked), m.Source, m.Reason)
	}
	t.end("nothing has moved yet")
	return nil
}
