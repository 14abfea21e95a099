// Command catalogbench measures the catalog on a server that speaks MongoDB's protocol: how fast it reserves and sells
// stock, how fast it prices and lists products, and whether any of it slows down as the number of products grows.
//
//	MONGODB_URI=mongodb://127.0.0.1:27117/ go -C tools run ./catalogbench --sizes 10000,100000
//
// It calls the catalog's services in its own process, without HTTP, in a new database that it drops at the end.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/tools/internal/load"
)

var (
	sizes   = []int{10_000, 100_000, 1_000_000}
	turn    = flag.Duration("for", 5*time.Second, "the time of each measurement")
	clients = flag.Int("concurrency", 16, "how many clients reserve, sell and price")
	behind  = flag.Int64("behind", 5000, "how many earlier orders a product has when it is measured again")
)

// The products are in categories, with prices from 1.00 to 1,000.00 and a few words in each name.
const (
	soldProducts = 10_000 // products that are bought
	categories   = 20
	highestPrice = 100_000
	units        = 1_000_000_000 // of each product: enough for any run
	loadBatch    = 1000
	longestRest  = 2 * time.Minute
	readers      = 4 // clients that list and look up: few, so that the result is not their own queue
)

func main() {
	flag.Func("sizes", "growing `numbers` of products (default 10000,100000,1000000)", setSizes)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Getenv("MONGODB_URI"))
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "catalogbench: %v\n", err)
		os.Exit(1)
	}
}

func setSizes(text string) error {
	sizes = nil
	for text := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < soldProducts {
			return fmt.Errorf("want growing numbers from %d on, for example 10000,100000", soldProducts)
		}
		sizes = append(sizes, n)
	}
	return nil
}

type bench struct {
	store    *mongodb.Store
	products *product.Service
	stock    *stock.Service
	size     int // products so far
}

func run(ctx context.Context, uri string) error {
	store, err := mongodb.Open(uri, "bench"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return fmt.Errorf("MONGODB_URI: %w", err)
	}
	later := stock.NewBackground(stock.BackgroundRoom)
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { later.Run(working, stock.BackgroundGoroutines) })
	b := &bench{store: store, products: product.New(store, time.Now), stock: stock.New(store, stock.Options{Later: later.Later})}
	err = b.measure(ctx)
	stop()
	background.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(err, store.Drop(ctx), store.Close(ctx))
}

func (b *bench) measure(ctx context.Context) error {
	if err := b.store.Prepare(ctx); err != nil {
		return err
	}
	fmt.Printf("%d clients reserve, sell and price, %d list; %s each\n", *clients, readers, *turn)
	for i, size := range sizes {
		if err := b.load(ctx, size); err != nil {
			return fmt.Errorf("load products: %w", err)
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

// load adds products until there are that many. Then it lets the server clean up, for which it needs the same processors.
func (b *bench) load(ctx context.Context, size int) error {
	began := time.Now()
	for b.size < size {
		var batch []product.Product
		for len(batch) < loadBatch && b.size < size {
			batch = append(batch, sample(b.size))
			b.size++
		}
		if err := b.store.CreateProducts(ctx, batch); err != nil {
			return err
		}
	}
	fmt.Printf("%8d products were there after %s\n", size, time.Since(began).Round(time.Second))
	select {
	case <-time.After(min(time.Since(began), longestRest)):
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
	of := func(category string, low, prices int64) product.Filter {
		return product.Filter{Category: category, MinPrice: 100 + low, Below: 100 + low + prices}
	}
	const dear = 100 + highestPrice - highestPrice/1000
	nth := func() int { return mathrand.IntN(categories) }
	from := func() int64 { return int64(nth()) * highestPrice / categories }
	for _, page := range []struct {
		of     string
		filter func() product.Filter
	}{
		{"all", func() product.Filter { return product.Filter{} }},
		{"a category", func() product.Filter { return product.Filter{Category: category(nth())} }},
		{"a fifth of prices", func() product.Filter { return of("", from(), highestPrice/5) }},
		{"a thousandth", func() product.Filter { return of("", from(), highestPrice/1000) }},
		{"the highest thousandth", func() product.Filter { return product.Filter{MinPrice: dear} }},
		{"category and fifth", func() product.Filter { return of(category(nth()), 0, highestPrice/5) }},
		{"category and thousandth", func() product.Filter { return of(category(nth()), from(), highestPrice/1000) }},
		// One word is in the names of all products, the other in one of a thousand.
		{"a word", func() product.Filter { return product.Filter{Words: []string{fmt.Sprint(nth())}} }},
		{"two words", func() product.Filter { return product.Filter{Words: []string{"make", fmt.Sprint(nth())}} }},
	} {
		list := func(ctx context.Context) error {
			_, err := b.products.List(ctx, page.filter(), 1, 10)
			return err
		}
		// The first page of a filter counts its products, once; see product.CountAge.
		for range 3 * categories {
			if err := list(ctx); err != nil {
				return err
			}
		}
		if err := b.time(ctx, "pages of "+page.of, readers, list); err != nil {
			return err
		}
	}
	return b.time(ctx, "prices of 3 products", readers, func(ctx context.Context) error { return b.price(ctx, 3) })
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
	sell := func(what string, productID func() int) error {
		return b.time(ctx, what, *clients, func(ctx context.Context) error {
			order, lines := uuid.NewString(), []stock.Line{{ProductID: id(productID()), Quantity: 1}}
			_, err := b.stock.Reserve(ctx, order, lines, time.Now().Add(time.Hour))
			if err == nil {
				_, err = b.stock.Commit(ctx, order)
			}
			return err
		})
	}
	first, second := func() int { return 0 }, func() int { return 1 }
	err := sell("orders of one new product", first)
	for err == nil {
		var u stock.Units
		if u, err = b.stock.Units(ctx, id(0)); u.Sold+u.Held >= *behind {
			break
		}
		err = sell(fmt.Sprintf("(%d orders so far)", u.Sold+u.Held), first)
	}
	if err != nil {
		return err
	}
	// One right after the other, with about the same number of reservations in the database.
	if err := sell("orders of one sold product", first); err != nil {
		return err
	}
	if err := sell("orders of another new product", second); err != nil {
		return err
	}
	if err := sell("orders of 10,000 products", func() int { return mathrand.IntN(soldProducts) }); err != nil {
		return err
	}
	return b.time(ctx, "prices of 10 products", *clients, func(ctx context.Context) error { return b.price(ctx, 10) })
}

// time lets clients call for one turn, and prints how long their calls took.
func (b *bench) time(ctx context.Context, what string, clients int, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute+*turn, errors.New("the measurement hangs"))
	defer cancel()
	all, err := load.Run(ctx, clients, load.For(*turn), call)
	if err != nil {
		return fmt.Errorf("%s, of %d products: %w", what, b.size, err)
	}
	fmt.Printf("%8d products  %-32s %8.0f /s, p50 %.1f ms, p99 %.1f ms\n",
		b.size, what, all.PerSecond(), all.Milliseconds(50), all.Milliseconds(99))
	return nil
}
