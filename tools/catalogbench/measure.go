package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/money"
)

// The products are in categories, with prices from 1.00 to 1,000.00 and a few words in each name.
const (
	leastProducts = 10_000 // products that are bought
	categories    = 20
	highestPrice  = 100_000
	units         = 1_000_000_000 // of each product: enough for any run
	loadBatch     = 1000
	readers       = 4 // clients that list and look up: few, so that the result is not their own queue
)

// result is one measurement.
type result struct {
	what     string
	products int
	perS     float64 // calls, orders or products a second
	p50, p99 float64 // in ms
}

type bench struct {
	store      *mongodb.Store
	products   *product.Service
	stock      *stock.Service
	o          options
	say        func(string, ...any)
	stop       func()
	background sync.WaitGroup
	size       int
	results    []result
}

func open(ctx context.Context, uri string, o options, say func(string, ...any)) (*bench, error) {
	store, err := mongodb.Open(uri, "bench"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, err
	}
	if err := store.Prepare(ctx); err != nil {
		return nil, errors.Join(err, store.Close(ctx))
	}
	b := &bench{store: store, products: product.New(store, time.Now), o: o, say: say}
	later := stock.NewBackground(stock.BackgroundRoom)
	b.stock = stock.New(store, stock.Options{Later: later.Later, Log: slog.New(slog.DiscardHandler)})
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.background.Go(func() { later.Run(working, stock.BackgroundGoroutines) })
	return b, nil
}

// close drops the database.
func (b *bench) close() error {
	b.stop()
	b.background.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(b.store.Drop(ctx), b.store.Close(ctx))
}

func (b *bench) measure(ctx context.Context) error {
	for i, size := range b.o.sizes {
		if err := b.load(ctx, size); err != nil {
			return err
		}
		if err := b.browse(ctx); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		if err := b.sell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// load adds products until there are that many.
func (b *bench) load(ctx context.Context, size int) error {
	began, added := time.Now(), size-b.size
	for b.size < size {
		var batch []product.Product
		for len(batch) < loadBatch && b.size < size {
			batch = append(batch, sample(b.size))
			b.size++
		}
		if err := b.store.LoadProducts(ctx, batch); err != nil {
			return fmt.Errorf("load products: %w", err)
		}
		if b.size%100_000 == 0 {
			b.say("%d products loaded", b.size)
		}
	}
	took := time.Since(began)
	b.add("products loaded", float64(added)/took.Seconds(), nil)
	return b.rest(ctx, min(took, b.o.rest))
}

// rest lets the server clean up after loading, for which it needs the same processors.
func (b *bench) rest(ctx context.Context, rest time.Duration) error {
	select {
	case <-time.After(rest):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func id(n int) string { return fmt.Sprintf("product-%d", n) }

func sample(n int) product.Product {
	r := mathrand.New(mathrand.NewPCG(uint64(n), 1))
	return product.Product{
		ID: id(n), Name: fmt.Sprintf("Thing %d of make %d", n, r.IntN(1000)), Category: category(r.IntN(categories)),
		Description: strings.Repeat("It does what it says. ", 5),
		Price:       money.Money{Amount: 100 + r.Int64N(highestPrice), Currency: "EUR"}, Stock: units,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
}

func category(n int) string { return fmt.Sprintf("category-%d", n) }

// browse lists first pages and looks up prices.
func (b *bench) browse(ctx context.Context) error {
	for _, reading := range []struct {
		name   string
		filter func() product.Filter
	}{
		{"page of all", func() product.Filter { return product.Filter{} }},
		{"page of a category", func() product.Filter { return inCategory(product.Filter{}) }},
		{"page of a fifth of prices", func() product.Filter { return prices(mathrand.IntN(categories), 5) }},
		{"page of a thousandth", func() product.Filter { return prices(mathrand.IntN(categories), 1000) }},
		{"page of the highest thousandth", expensive},
		{"page of category and fifth", func() product.Filter { return inCategory(prices(0, 5)) }},
		{"page of category and thousandth", func() product.Filter { return inCategory(prices(mathrand.IntN(categories), 1000)) }},
		{"page of a word", func() product.Filter { return product.Filter{Words: words()[1:]} }},
		{"page of two words", func() product.Filter { return product.Filter{Words: words()} }},
	} {
		// The first page of a filter counts its products, once; see product.CountAge.
		for range 3 * categories {
			if _, err := b.products.List(ctx, reading.filter(), 1, 1); err != nil {
				return fmt.Errorf("%s, of %d: %w", reading.name, b.size, err)
			}
		}
		err := b.time(ctx, reading.name, readers, 1, func(ctx context.Context) error {
			_, err := b.products.List(ctx, reading.filter(), 1, 10)
			return err
		})
		if err != nil {
			return err
		}
	}
	return b.time(ctx, "prices of 3 products", readers, 1, func(ctx context.Context) error { return b.price(ctx, 3) })
}

func inCategory(f product.Filter) product.Filter {
	f.Category = category(mathrand.IntN(categories))
	return f
}

// words are one in the names of all products, and one in the name of one in a thousand.
func words() []string { return []string{"make", fmt.Sprint(mathrand.IntN(categories))} }

// expensive are the products with the highest prices.
func expensive() product.Filter {
	low := int64(100 + highestPrice - highestPrice/1000)
	return product.Filter{MinPrice: &low}
}

// prices is a range as long as all prices divided by parts, from the nth twentieth on.
func prices(n int, parts int64) product.Filter {
	low := 100 + int64(n)*highestPrice/categories
	high := low + highestPrice/parts
	return product.Filter{MinPrice: &low, MaxPrice: &high}
}

func (b *bench) price(ctx context.Context, n int) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(mathrand.IntN(b.size))
	}
	found, err := b.products.Products(ctx, ids)
	if err == nil && len(found) == 0 {
		err = errors.New("no product was found")
	}
	return err
}

// sell reserves and commits orders of one unit.
func (b *bench) sell(ctx context.Context) error {
	order := func(productID func() string) func(context.Context) error {
		return func(ctx context.Context) error {
			order := uuid.NewString()
			_, err := b.stock.Reserve(ctx, order, []stock.Line{{ProductID: productID(), Quantity: 1}}, time.Now().Add(time.Hour))
			if err == nil {
				_, err = b.stock.Commit(ctx, order)
			}
			return err
		}
	}
	hot, fresh := order(func() string { return id(0) }), order(func() string { return id(1) })
	if err := b.time(ctx, "orders of one new product", b.o.clients, 1, hot); err != nil {
		return err
	}
	if err := b.wearIn(ctx, hot); err != nil {
		return err
	}
	// One right after the other, with about the same number of reservations in the database.
	if err := b.time(ctx, "orders of one sold product", b.o.clients, 1, hot); err != nil {
		return err
	}
	if err := b.time(ctx, "orders of another new product", b.o.clients, 1, fresh); err != nil {
		return err
	}
	spread := order(func() string { return id(mathrand.IntN(leastProducts)) })
	if err := b.time(ctx, "orders of 10,000 products", b.o.clients, 1, spread); err != nil {
		return err
	}
	return b.time(ctx, "products priced, 10 a call", b.o.clients, 10, func(ctx context.Context) error { return b.price(ctx, 10) })
}

// wearIn orders the first product until it has had enough orders.
func (b *bench) wearIn(ctx context.Context, order func(context.Context) error) error {
	for {
		u, err := b.stock.Units(ctx, id(0))
		if err != nil {
			return err
		}
		b.say("the one product has had %d orders", u.Sold+u.Held)
		if u.Sold+u.Held >= int64(b.o.behind) {
			return nil
		}
		if err := b.time(ctx, "", b.o.clients, 1, order); err != nil {
			return err
		}
	}
}

// time makes clients call for one turn. Each call counts as each. A measurement without a name is not reported.
func (b *bench) time(ctx context.Context, name string, clients int, each float64, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute+b.o.turn, errors.New("the measurement hangs"))
	defer cancel()
	began := time.Now()
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			var took []time.Duration
			var err error
			for err == nil && time.Since(began) < b.o.turn {
				start := time.Now()
				err = call(ctx)
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, took...), append(errs, err)
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s, of %d: %w", name, b.size, err)
	}
	if name != "" {
		b.add(name, each*float64(len(all))/time.Since(began).Seconds(), all)
	}
	return nil
}

func (b *bench) add(what string, perS float64, took []time.Duration) {
	slices.Sort(took)
	r := result{what, b.size, perS, quantile(took, 50), quantile(took, 99)}
	b.results = append(b.results, r)
	b.say("%-32s %8d products %8.0f /s, p50 %.1f ms, p99 %.1f ms", what, r.products, r.perS, r.p50, r.p99)
}

// quantile returns milliseconds; sorted may be empty.
func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[(len(sorted)-1)*percent/100].Microseconds()) / 1000
}

func print(w io.Writer, o options, results []result) {
	fmt.Fprintf(w, "\n%d clients reserve, sell and price, %d list; %s each\n\n", o.clients, readers, o.turn)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "products\twhat\t/s\tp50 ms\tp99 ms\t\n")
	for _, r := range results {
		fmt.Fprintf(t, "%d\t%s\t%.0f\t%.1f\t%.1f\t\n", r.products, r.what, r.perS, r.p50, r.p99)
	}
	_ = t.Flush()
}
