package sqlparticipant_test

import (
	"context"
	"database/sql"
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
	keepsTheContract(t, "pgx", dbtest.Postgres(t))
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
