package catalogclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// PriceItems returns one priced line per item, in the items' order. Unknown products are refused (PRODUCT_NOT_FOUND,
// naming all of them). While the catalog cannot be asked, the last prices seen are used as long as they are fresh; such
// lines have PriceSeen set.
func (c *Client) PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error) {
	ids := distinct(items)
	var out Prices
	err := c.call(ctx, http.MethodPost, "/prices", PricesRequest{ProductIDs: ids}, &out)
	found := map[string]lastPrice{}
	var answered *problem.Problem
	switch {
	case err == nil:
		if found, err = checked(ids, out); err != nil {
			return nil, err
		}
		c.prices.remember(found)
	case errors.As(err, &answered) && answered.IsType(ProductNotFound):
		return nil, c.unknownProducts(answered)
	case ctx.Err() != nil || errors.As(err, new(*Unauthorized)) || errors.As(err, &answered) && answered.Status != http.StatusTooManyRequests && answered.Status < 500:
		return nil, err // nobody waits, or asking again would not help
	default:
		oldest, ok := c.prices.recall(ids, found)
		if !ok {
			return nil, err
		}
		c.log.Warn("using the last known prices", "age", oldest.String(), "products", len(ids), "error", err.Error())
	}
	return priced(items, found), nil
}

// distinct lists the products of the items, each once.
func distinct(items []order.Item) []string {
	seen := map[string]bool{}
	var ids []string
	for _, it := range items {
		if !seen[it.ProductID] {
			seen[it.ProductID] = true
			ids = append(ids, it.ProductID)
		}
	}
	return ids
}

// checked makes sure that every product asked for has a price that can be charged.
func checked(ids []string, out Prices) (map[string]lastPrice, error) {
	found := map[string]lastPrice{}
	for _, p := range out.Prices {
		found[p.ProductID] = lastPrice{ProductPrice: p}
	}
	for _, id := range ids {
		p, ok := found[id]
		if !ok {
			return nil, fmt.Errorf("catalog: answered without a price of product %s", id)
		}
		if err := money.Money(p.Price).Validate(); err != nil {
			return nil, fmt.Errorf("catalog: price of product %s: %w", id, err)
		}
	}
	return found, nil
}

func priced(items []order.Item, found map[string]lastPrice) []order.Line {
	lines := order.Unpriced(items)
	for i := range lines {
		p := found[lines[i].ProductID]
		lines[i].Name, lines[i].Price, lines[i].PriceSeen = p.Name, money.Money(p.Price), p.seen
	}
	return lines
}

func (c *Client) unknownProducts(p *problem.Problem) error {
	r := order.Refuse(order.ProductNotFound, "some of the products do not exist")
	p.Extension("productIds", &r.Cause.ProductIDs)
	c.prices.forget(r.Cause.ProductIDs)
	return r
}

// lastPrices remembers the last price seen of each product.
type lastPrices struct {
	age   time.Duration // of the oldest price that may be used
	cache *otter.Cache[string, lastPrice]
}

type lastPrice struct {
	ProductPrice
	seen time.Time // zero: just now, by the catalog's own answer
}

// maxPrices bounds the memory: some 300 bytes each.
const maxPrices = 10_000

func newLastPrices(age time.Duration) *lastPrices {
	return &lastPrices{age, otter.Must(&otter.Options[string, lastPrice]{MaximumSize: maxPrices})}
}

func (l *lastPrices) remember(prices map[string]lastPrice) {
	now := time.Now().UTC()
	for id, p := range prices {
		l.cache.Set(id, lastPrice{p.ProductPrice, now})
	}
}

// recall puts the prices of all products into out and returns the age of the oldest. It reports false when one of them
// is not known or not fresh.
func (l *lastPrices) recall(ids []string, out map[string]lastPrice) (oldest time.Duration, ok bool) {
	for _, id := range ids {
		p, ok := l.cache.GetIfPresent(id)
		age := time.Since(p.seen)
		if !ok || age > l.age {
			return 0, false
		}
		oldest = max(oldest, age)
		out[id] = lastPrice{p.ProductPrice, p.seen.Round(0)}
	}
	return oldest, true
}

func (l *lastPrices) forget(ids []string) {
	for _, id := range ids {
		l.cache.Invalidate(id)
	}
}
