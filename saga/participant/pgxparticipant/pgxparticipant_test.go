package pgxparticipant_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/saga/participant/internal/dbtest"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
	"github.com/ordersaga/ordersaga/saga/participant/pgxparticipant"
)

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		level string
		mode  pgx.QueryExecMode // how statements are sent
	}{
		"read committed":  {"read committed", pgx.QueryExecModeCacheStatement},
		"serializable":    {"serializable", pgx.QueryExecModeCacheStatement},
		"cache_describe":  {"read committed", pgx.QueryExecModeCacheDescribe},
		"describe_exec":   {"read committed", pgx.QueryExecModeDescribeExec},
		"exec":            {"read committed", pgx.QueryExecModeExec},
		"simple_protocol": {"read committed", pgx.QueryExecModeSimpleProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := pgxpool.ParseConfig(dbtest.Postgres(t))
			if err != nil {
				t.Fatal(err)
			}
			config.MaxConns = 16
			config.ConnConfig.RuntimeParams["default_transaction_isolation"] = test.level
			config.ConnConfig.DefaultQueryExecMode = test.mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			for range 2 { // the second time the table exists
				if _, err := pool.Exec(t.Context(), pgxparticipant.Schema); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := pool.Exec(t.Context(), `CREATE TABLE effects (saga text, amount integer)`); err != nil {
				t.Fatal(err)
			}
			participanttest.Store(t, participanttest.Database[pgx.Tx]{
				Store: pgxparticipant.New(pool),
				Add: func(ctx context.Context, tx pgx.Tx, saga string, amount int) error {
					_, err := tx.Exec(ctx, `INSERT INTO effects VALUES ($1, $2)`, saga, amount)
					return err
				},
				Sum: func(ctx context.Context, saga string) (sum int, err error) {
					err = pool.QueryRow(ctx, `SELECT coalesce(sum(amount), 0) FROM effects WHERE saga = $1`, saga).Scan(&sum)
					return sum, err
				},
			})
		})
	}
}

func TestAnUnreachableDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	participanttest.Broken(t, pgxparticipant.New(pool))
}
