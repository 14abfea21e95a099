package sqlparticipant_test

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/ordersaga/ordersaga/saga/participant/internal/dbtest"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
	"github.com/ordersaga/ordersaga/saga/participant/sqlparticipant"
)

func TestPostgreSQLKeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"read committed", "serializable"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			keepsTheContract(t, "pgx", dbtest.Postgres(t)+"&default_transaction_isolation="+url.PathEscape(level))
		})
	}
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hotel.db")
	keepsTheContract(t, "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
}

func open(t *testing.T, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(16)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func keepsTheContract(t *testing.T, driver, source string) {
	db := open(t, driver, source)
	for _, statement := range []string{
		sqlparticipant.Schema, sqlparticipant.Schema, // the second time the table exists
		`CREATE TABLE effects (saga text, amount integer)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	participanttest.Store(t, participanttest.Database[*sql.Tx]{
		Store: sqlparticipant.New(db),
		Add: func(ctx context.Context, tx *sql.Tx, saga string, amount int) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO effects VALUES ($1, $2)`, saga, amount)
			return err
		},
		Sum: func(ctx context.Context, saga string) (sum int, err error) {
			err = db.QueryRowContext(ctx, `SELECT coalesce(sum(amount), 0) FROM effects WHERE saga = $1`, saga).Scan(&sum)
			return sum, err
		},
	})
}

func TestAnUnreachableDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	participanttest.Broken(t, sqlparticipant.New(open(t, "pgx", "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")))
}

func TestADatabaseWithoutTheTableIsAnError(t *testing.T) {
	t.Parallel()
	participanttest.Broken(t, sqlparticipant.New(open(t, "sqlite", filepath.Join(t.TempDir(), "empty.db"))))
}

func TestATransactionThatAnotherOneAbortsIsRepeated(t *testing.T) {
	t.Parallel()
	db := open(t, "pgx", dbtest.Postgres(t)+"&default_transaction_isolation="+url.PathEscape("repeatable read"))
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE counter AS SELECT 0 AS n`); err != nil {
		t.Fatal(err)
	}
	const count = `UPDATE counter SET n = n + 1`
	attempts, n := 0, 0
	err := sqlparticipant.New(db).Transact(t.Context(), func(tx *sql.Tx) error {
		attempts++
		if err := tx.QueryRowContext(t.Context(), `SELECT n FROM counter`).Scan(&n); err != nil {
			return err
		}
		if attempts == 1 {
			if _, err := db.ExecContext(t.Context(), count); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(t.Context(), count)
		return err
	})
	if err != nil || attempts != 2 || n != 1 {
		t.Errorf("error %v after %d attempts, the last of which saw %d; want two, and to see what the other one wrote", err, attempts, n)
	}
}
