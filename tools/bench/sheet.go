package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/tools/costsheet"
	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// count puts a meter before everything that the programs call, and lets PostgreSQL count its statements and its WAL. The
// catalog that the programs call is one of our own, on the stack's store.
func (s *stack) count(ctx context.Context) (err error) {
	m := &s.meter
	s.atClose(m.Close)
	mongo, err := m.MongoDB(s.c.MongoDBURI)
	if err != nil {
		return err
	}
	address, _, err := freeAddresses()
	if err != nil {
		return err
	}
	settings := []string{"CATALOG_ADDR=" + address, "MONGODB_URI=" + mongo, "AUTH_MODE=none", "LOG_LEVEL=ERROR"}
	if err := s.run(ctx, "catalog", "catalog (counted)", settings, "http://"+address+"/readyz"); err != nil {
		return err
	}
	s.c.Catalog = "http://" + address
	for base, row := range map[*string]string{&s.c.Catalog: costsheet.CatalogCalls, &s.c.StripeURL: costsheet.GatewayCalls} {
		if *base, err = m.HTTP(*base, row); err != nil {
			return err
		}
	}
	for address, proxy := range map[*string]func(string) (string, error){
		&s.c.Temporal.Address: m.Temporal, &s.c.DatabaseURL: m.PostgreSQL, &s.c.RabbitMQURL: m.RabbitMQ,
	} {
		if *address, err = proxy(*address); err != nil {
			return err
		}
	}
	if s.statistics, err = pgx.Connect(ctx, s.c.SuperuserURL); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	s.atClose(func() error { return s.statistics.Close(context.WithoutCancel(ctx)) })
	_, err = s.statistics.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
	return err
}

// read returns what was counted so far.
func (s *stack) read(ctx context.Context) (costsheet.Counts, error) {
	now := s.meter.Read()
	rows, err := s.statistics.Query(ctx, `SELECT datname, sum(calls), sum(wal_bytes)
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid GROUP BY datname`)
	if err != nil {
		return nil, fmt.Errorf("read PostgreSQL's statistics: %w", err)
	}
	var database string
	var calls, wal float64
	_, err = pgx.ForEachRow(rows, []any{&database, &calls, &wal}, func() error {
		now["statements in the database "+database], now["WAL bytes of the database "+database] = calls, wal
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read PostgreSQL's statistics: %w", err)
	}
	return now, nil
}

// atRest is how long after the last response everything that an order sets in motion has ended.
const atRest = 3 * time.Second

// costSheet lets one client place orders in each mode, and prints what one cost.
func (s *stack) costSheet(ctx context.Context, w io.Writer) error {
	all, err := s.modes(ctx)
	if err != nil {
		return err
	}
	sheet, costs := map[string]costsheet.Counts{}, table{title: "Cost of one order", format: "%.1f", least: 0.05}
	for _, m := range all {
		s.say("counting  %s", m.name)
		if sheet[m.name], err = s.costs(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		costs.add(m.name, sheet[m.name])
	}
	costs.print(w)
	return writeJSON(s.o.JSON, sheet, s.say)
}

func (s *stack) costs(ctx context.Context, m *measured) (costsheet.Counts, error) {
	placed := func(orders int) (seg segment, counts costsheet.Counts, err error) {
		if seg, err = placing(ctx, m.place, 1, load.Times(orders)); err != nil {
			return seg, nil, err
		}
		if err := pause(ctx, atRest); err != nil {
			return seg, nil, err
		}
		counts, err = s.read(ctx)
		return seg, counts, err
	}
	_, before, err := placed(5) // to warm up
	if err != nil {
		return nil, err
	}
	seg, after, err := placed(s.o.Sheet)
	if err != nil {
		return nil, err
	}
	cost := after.Since(before)
	for what := range cost {
		cost[what] /= float64(s.o.Sheet)
	}
	history, err := s.histories(ctx, seg.sample)
	maps.Copy(cost, history)
	return cost, err
}

// histories returns the average size of some workflows' histories, once each has ended.
func (s *stack) histories(ctx context.Context, ids []string) (costsheet.Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	average := costsheet.Counts{}
	for _, id := range ids {
		history, err := costsheet.History(ctx, s.temporal.SDK, id)
		if err != nil {
			return nil, err
		}
		for what, n := range history {
			average[what] += n / float64(len(ids))
		}
	}
	return average, nil
}
