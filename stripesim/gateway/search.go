package gateway

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// searchIntents finds intents that are older than the search's delay, newest first. Their state is the current one: the
// index lags, but what it points to does not.
var searchIntents = endpoint{
	operation: "search",
	params:    []string{"query", "limit", "page", "expand"},
	run: func(c *call) (any, error) {
		q, err := parseQuery(c.params.Get("query"))
		if err != nil {
			return nil, err
		}
		limit, err := c.limit()
		if err != nil {
			return nil, err
		}
		before, err := c.integer("page", 1<<62)
		if err != nil {
			return nil, err
		}
		rows, err := c.tx.Query(c, selectIntents+`
			WHERE i.metadata @> $1 AND ($2 = '' OR i.status = $2) AND i.created_at <= $3 AND i.seq < $4
			ORDER BY i.seq DESC LIMIT $5`, q.metadata, q.status, c.now.Add(-c.delay), before, limit+1)
		if err != nil {
			return nil, fmt.Errorf("search payment intents: %w", err)
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*intent, error) { return scanIntent(row) })
		if err != nil {
			return nil, fmt.Errorf("search payment intents: %w", err)
		}
		return searchResult(c, found, int(limit)), nil
	},
}

func searchResult(c *call, found []*intent, limit int) page[*intentObject] {
	p := page[*intentObject]{Object: "search_result", URL: "/v1/payment_intents/search", Data: []*intentObject{}}
	if len(found) > limit {
		found = found[:limit]
		next := strconv.FormatInt(found[limit-1].seq, 10)
		p.HasMore, p.NextPage = true, &next
	}
	expanded := c.expands("data.latest_charge")
	for _, i := range found {
		p.Data = append(p.Data, i.objectWith(expanded))
	}
	return p
}

// query is what a search asks for; all of it must hold.
type query struct {
	metadata map[string]string
	status   string
}

var (
	metadataClause = regexp.MustCompile(`^metadata\[(?:'([^']+)'|"([^"]+)")\]:(?:'([^']*)'|"([^"]*)")$`)
	statusClause   = regexp.MustCompile(`^status:(?:'([a-z_]+)'|"([a-z_]+)")$`)
)

// parseQuery understands metadata['key']:'value' and status:'value', joined by AND: a small part of Stripe's language.
func parseQuery(text string) (query, error) {
	q := query{metadata: map[string]string{}}
	if text == "" {
		return q, invalid("query", "parameter_missing", "Missing required param: query.")
	}
	for clause := range strings.SplitSeq(text, " AND ") {
		clause = strings.TrimSpace(clause)
		if m := metadataClause.FindStringSubmatch(clause); m != nil {
			q.metadata[m[1]+m[2]] = m[3] + m[4]
		} else if m := statusClause.FindStringSubmatch(clause); m != nil {
			q.status = m[1] + m[2]
		} else {
			return q, invalid("query", "", "We were unable to parse your search query. This simulator knows metadata['key']:'value' and status:'value', joined by AND.")
		}
	}
	return q, nil
}
