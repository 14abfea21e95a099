package gateway

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// listIntents lists intents, newest first. Unlike a search it does not lag.
var listIntents = endpoint{
	operation: "list",
	params:    []string{"created", "limit", "starting_after", "expand"},
	run: func(c *call) (any, error) {
		limit, err := c.limit()
		if err != nil {
			return nil, err
		}
		since, err := c.integer("created[gte]", 0)
		if err != nil {
			return nil, err
		}
		rows, err := c.tx.Query(c, selectIntents+`
			WHERE i.created_at >= $1 AND ($2 = '' OR i.seq < (SELECT seq FROM payment_intents WHERE id = $2))
			ORDER BY i.seq DESC LIMIT $3`, time.Unix(since, 0), c.params.Get("starting_after"), limit+1)
		if err != nil {
			return nil, fmt.Errorf("list payment intents: %w", err)
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*intent, error) { return scanIntent(row) })
		if err != nil {
			return nil, fmt.Errorf("list payment intents: %w", err)
		}
		return listed(c, found, int(limit)), nil
	},
}

func listed(c *call, found []*intent, limit int) page[*intentObject] {
	p := page[*intentObject]{Object: "list", URL: "/v1/payment_intents", HasMore: len(found) > limit, Data: []*intentObject{}}
	expanded := c.expands("data.latest_charge")
	for _, i := range found[:min(limit, len(found))] {
		p.Data = append(p.Data, i.objectWith(expanded))
	}
	return p
}
