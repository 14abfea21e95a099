package catalogclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"
)

// Quote is the price of one product.
type Quote struct {
	ProductPrice
	// SeenAt is when this client last saw the price, if it comes from its memory because the catalog is down; otherwise
	// zero.
	SeenAt time.Time
}

// PriceProducts returns one quote per product ID, in the same order. A *Problem of type ProductNotFound names all
// unknown products. While the catalog is down it returns the last prices that it has seen, provided that they are fresh.
func (c *Client) PriceProducts(ctx context.Context, productIDs []string) ([]Quote, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(productIDs)))
	var out Prices
	err := c.call(ctx, http.MethodPost, "/prices", PricesRequest{ProductIDs: ids}, &out)
	var found map[string]Quote
	switch {
	case err == nil:
		if found, err = chargeable(ids, out); err != nil {
			return nil, err
		}
		c.prices.remember(found)
	case ctx.Err() != nil || !mayRecover(err):
		c.forgetUnknown(err)
		return nil, err
	default:
		known, oldest, ok := c.prices.recall(ids)
		if !ok {
			return nil, err
		}
		c.log.Warn("using the last known prices", "age", oldest.String(), "products", len(ids), "error", err.Error())
		found = known
	}
	quotes := make([]Quote, len(productIDs))
	for i, id := range productIDs {
		quotes[i] = found[id]
	}
	return quotes, nil
}

// mayRecover reports whether the same call may succeed later without anyone's help.
func mayRecover(err error) bool {
	var p *Problem
	if errors.As(err, new(*Unauthorized)) {
		return false
	}
	return !errors.As(err, &p) || p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// chargeable returns the prices by product, or an error unless every product has one that can be charged.
func chargeable(ids []string, out Prices) (map[string]Quote, error) {
	found := map[string]Quote{}
	for _, p := range out.Prices {
		found[p.ProductID] = Quote{ProductPrice: p}
	}
	for _, id := range ids {
		q, ok := found[id]
		if !ok {
			return nil, fmt.Errorf("catalog: the response has no price of product %s", id)
		}
		if q.Price.Amount < 0 || !currencyCode.MatchString(q.Price.Currency) {
			return nil, fmt.Errorf("catalog: product %s has the impossible price %+v", id, q.Price)
		}
	}
	return found, nil
}

// forgetUnknown drops the prices of the products that err reports as unknown, if it does.
func (c *Client) forgetUnknown(err error) {
	var p *Problem
	if errors.As(err, &p) && p.Type == ProductNotFound {
		for _, id := range p.ProductIDs {
			c.prices.cache.Invalidate(id)
		}
	}
}

// lastPrices remembers the last price seen of each product.
type lastPrices struct {
	maxAge time.Duration
	cache  *otter.Cache[string, Quote]
}

// maxPrices bounds the memory: about 300 bytes each.
const maxPrices = 10_000

func newLastPrices(maxAge time.Duration) *lastPrices {
	return &lastPrices{maxAge, otter.Must(&otter.Options[string, Quote]{MaximumSize: maxPrices})}
}

func (l *lastPrices) remember(quotes map[string]Quote) {
	now := time.Now().UTC()
	for id, q := range quotes {
		l.cache.Set(id, Quote{q.ProductPrice, now})
	}
}

// recall returns the prices of all products and the age of the oldest. It reports false if one of them is unknown or
// too old.
func (l *lastPrices) recall(ids []string) (quotes map[string]Quote, oldest time.Duration, ok bool) {
	quotes = map[string]Quote{}
	for _, id := range ids {
		q, ok := l.cache.GetIfPresent(id)
		age := time.Since(q.SeenAt)
		if !ok || age > l.maxAge {
			return nil, 0, false
		}
		oldest = max(oldest, age)
		quotes[id] = Quote{q.ProductPrice, q.SeenAt.Round(0)} // without the monotonic clock
	}
	return quotes, oldest, true
}
