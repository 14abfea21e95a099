package gateway

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// listIntents lists intents, newest first. Unlike a search it does not lag.
var listIntents = endpoint{
	operation: "list",
	params:    []string{"created", "limit", "starting_after", "expand"},
	run: func(c *call) (any, error) {
		since, err := c.integer("created[gte]", 0)
		if err != nil {
			return nil, err
		}
		found, more, err := c.intents(`
			i.created_at >= $1 AND ($2 = '' OR i.seq < (SELECT seq FROM payment_intents WHERE id = $2))`,
			time.Unix(since, 0), c.params.Get("starting_after"))
		return page{Object: "list", URL: "/v1/payment_intents", HasMore: more, Data: c.objects(found)}, err
	},
}

// orderQuery is the only kind of query that searchIntents knows, out of Stripe's query language.
var orderQuery = regexp.MustCompile(`^metadata\['order_id'\]:'([^']*)'$`)

// searchIntents finds the intents of an order that are older than the search's delay, newest first. It shows their current
// state: only the index lags.
var searchIntents = endpoint{
	operation: "search",
	params:    []string{"query", "limit", "page", "expand"},
	run: func(c *call) (any, error) {
		query := orderQuery.FindStringSubmatch(c.params.Get("query"))
		if query == nil {
			return nil, invalid("query", "", "This simulator only understands queries such as metadata['order_id']:'123'.")
		}
		before, err := c.integer("page", 1<<62)
		if err != nil {
			return nil, err
		}
		found, more, err := c.intents(`i.order_id = $1 AND i.created_at <= $2 AND i.seq < $3`,
			query[1], c.now.Add(-c.gateway.options.SearchDelay), before)
		p := page{Object: "search_result", URL: "/v1/payment_intents/search", HasMore: more, Data: c.objects(found)}
		if more {
			p.NextPage = strconv.FormatInt(found[len(found)-1].Seq, 10)
		}
		return p, err
	},
}

// intents returns a page of the intents that meet the condition, newest first, and whether there are more.
func (c *call) intents(condition string, args ...any) ([]*intent, bool, error) {
	return pageOf(c, queryIntents, condition+` ORDER BY i.seq DESC`, args...)
}

// pageOf returns a page of what query finds, and whether there is more.
func pageOf[T any](
	c *call, query func(c *call, condition string, args ...any) ([]T, error), condition string, args ...any,
) (found []T, more bool, err error) {
	limit, err := c.limit()
	if err != nil {
		return nil, false, err
	}
	found, err = query(c, fmt.Sprintf(`%s LIMIT %d`, condition, limit+1), args...)
	if err != nil {
		return nil, false, err
	}
	if len(found) > limit {
		return found[:limit], true, nil
	}
	return found, false, nil
}

// listOf is the list of what belongs to payments: refunds or disputes, newest first. table is the name of x in query.
func listOf[T interface{ object() O }, O any](
	url, table string, query func(c *call, condition string, args ...any) ([]T, error),
) func(*call) (any, error) {
	return func(c *call) (any, error) {
		since, err := c.integer("created[gte]", 0)
		if err != nil {
			return nil, err
		}
		id := c.params.Get("payment_intent")
		if id != "" {
			if _, err := loadIntent(c, id); err != nil {
				return nil, err
			}
		}
		found, more, err := pageOf(c, query, `x.created_at >= $1 AND ($2 = '' OR x.payment_intent_id = $2)
			AND ($3 = '' OR x.seq < (SELECT seq FROM `+table+` WHERE id = $3)) ORDER BY x.seq DESC`,
			time.Unix(since, 0), id, c.params.Get("starting_after"))
		objects := make([]O, len(found))
		for n, f := range found {
			objects[n] = f.object()
		}
		return page{Object: "list", URL: url, HasMore: more, Data: objects}, err
	}
}

// listParams are the parameters of the lists of listOf.
var listParams = []string{"payment_intent", "created", "limit", "starting_after"}

// objects shows the intents of a page.
func (c *call) objects(found []*intent) []*intentObject {
	expanded := c.expands("data.latest_charge")
	objects := make([]*intentObject, len(found))
	for n, i := range found {
		objects[n] = i.object(expanded)
	}
	return objects
}
