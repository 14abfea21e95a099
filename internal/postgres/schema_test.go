package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// refusedStatement is a statement, and what the database's error must name.
type refusedStatement struct{ statement, by string }

// Statements that a faulty program or a hasty operator might send.
var refusedStatements = map[string]refusedStatement{
	"an unknown status": {"UPDATE orders SET status = 'DONE', version = version + 1", "status_is_known"},
	"confirming without a payment": {
		"UPDATE orders SET status = 'CONFIRMED', version = version + 1 WHERE NOT closing", "payment_is_known_when_confirmed"},
	"confirming a closing order": {
		`UPDATE orders SET status = 'CONFIRMED', payment_id = 'pi', version = version + 1
			WHERE closing AND status = 'PENDING' AND total_amount IS NOT NULL`,
		"confirmed_was_not_fenced"},
	"confirming an order that was never priced": {
		`UPDATE orders SET status = 'CONFIRMED', payment_id = 'pi', version = version + 1 WHERE total_amount IS NULL`, "add up"},
	"a payment before the pivot": {
		"UPDATE orders SET payment_id = 'pi', version = version + 1 WHERE NOT closing", "payment_is_known_when_confirmed"},
	"failing without a fence": {
		"UPDATE orders SET status = 'FAILED', version = version + 1 WHERE NOT closing", "undone_was_fenced"},
	"an end that the cause does not allow": {
		"UPDATE orders SET status = 'CANCELLED', version = version + 1 WHERE ends_as = 'FAILED' AND status = 'PENDING'",
		"undone_was_fenced"},
	"closing without a cause": {
		"UPDATE orders SET closing = true, version = version + 1 WHERE NOT closing", "closing_has_a_cause"},
	"closing without a reason": {
		`UPDATE orders SET closing = true, cause = '{"message": "?"}', ends_as = 'FAILED', version = version + 1
			WHERE NOT closing`,
		"closing_has_a_cause"},
	"closing towards a confirmation": {
		`UPDATE orders SET closing = true, cause = '{"reason": "X"}', ends_as = 'CONFIRMED', version = version + 1
			WHERE NOT closing`,
		"ends_as_is_an_undone_end"},
	"taking the fence away": {
		`UPDATE orders SET closing = false, cause = null, ends_as = null, version = version + 1
			WHERE closing AND status = 'PENDING'`,
		"the first cause stays"},
	"another cause": {
		`UPDATE orders SET cause = '{"reason": "TIMED_OUT"}', version = version + 1 WHERE closing AND status = 'PENDING'`,
		"the first cause stays"},
	"leaving CONFIRMED": {
		"UPDATE orders SET status = 'PENDING', payment_id = null, version = version + 1 WHERE status = 'CONFIRMED'",
		"a final status never changes"},
	"leaving FAILED": {
		"UPDATE orders SET status = 'PENDING', version = version + 1 WHERE status = 'FAILED'",
		"a final status never changes"},
	"another total": {
		"UPDATE orders SET total_amount = 1, version = version + 1 WHERE NOT closing AND total_amount IS NOT NULL", "priced once"},
	"a total after the fence": {
		`UPDATE orders SET total_amount = 1, total_currency = 'USD', version = version + 1
			WHERE closing AND total_amount IS NULL`, "priced once"},
	"another time": {
		"UPDATE orders SET created_at = now(), version = version + 1 WHERE status = 'PENDING'", "what was ordered"},
	"a payment without a name": {
		`UPDATE orders SET status = 'CONFIRMED', payment_id = '', version = version + 1
			WHERE status = 'PENDING' AND NOT closing AND total_amount IS NOT NULL`, "payment_is_named"},
	"another user": {
		"UPDATE orders SET user_id = 2, version = version + 1 WHERE status = 'PENDING'", "what was ordered"},
	"a change that keeps the version": {"UPDATE orders SET updated_at = now() WHERE status = 'PENDING'", "version"},
	"a change that turns the time back": {
		"UPDATE orders SET updated_at = created_at - interval '1 s', version = version + 1 WHERE status = 'PENDING'", "the time back"},
	"a confirmed order without a price": {
		`INSERT INTO orders (id, user_id, status, payment_id, payment_method, request_hash)
			VALUES (gen_random_uuid(), 1, 'CONFIRMED', 'pi', '', '')`, "priced_when_confirmed"},
	"a negative total": {
		`INSERT INTO orders (id, user_id, status, payment_method, request_hash, total_amount, total_currency)
			VALUES (gen_random_uuid(), 1, 'PENDING', '', '', -1, 'USD')`, "total_is_money"},
	"a total without a currency": {
		`INSERT INTO orders (id, user_id, status, payment_method, request_hash, total_amount)
			VALUES (gen_random_uuid(), 1, 'PENDING', '', '', 1)`, "total_is_money"},
	"a currency of another shape": {
		`INSERT INTO orders (id, user_id, status, payment_method, request_hash, total_amount, total_currency)
			VALUES (gen_random_uuid(), 1, 'PENDING', '', '', 1, 'usd')`, "total_is_money"},
	"a line of nothing": {
		insertLine + ", 0, null, null FROM orders LIMIT 1", "quantity_is_allowed"},
	"a line of too many": {
		insertLine + ", 10001, null, null FROM orders LIMIT 1", "quantity_is_allowed"},
	"a negative price": {
		insertLine + ", 1, -1, 'USD' FROM orders LIMIT 1", "price_is_money"},
	"a line of no order": {
		`INSERT INTO order_lines (order_id, user_id, status, position, product_id, quantity)
			VALUES (gen_random_uuid(), 1, 'PENDING', 1, 'p', 1)`, "order_lines_order_id_fkey"},
	"another price": {"UPDATE order_lines SET price_amount = 1 WHERE price_amount IS NOT NULL", "rows of order_lines never change"},
	"another quantity with the first price": {
		"UPDATE order_lines SET price_amount = 1, price_currency = 'USD', quantity = 1 WHERE price_amount IS NULL",
		"rows of order_lines never change"},
	"a line of no product": {
		`INSERT INTO order_lines (order_id, user_id, status, position, product_id, quantity)
			SELECT id, user_id, status, 9, '', 1 FROM orders LIMIT 1`, "product_id"},
	"another quantity":                        {"UPDATE order_lines SET quantity = 1", "rows of order_lines never change"},
	"a line of another status than its order": {"UPDATE order_lines SET status = 'FAILED'", "rows of order_lines never change"},
	"another past":                            {"UPDATE order_timeline SET detail = 'x'", "rows of order_timeline never change"},
	"a second confirmation": {
		`INSERT INTO order_timeline (order_id, type, happened_at)
			SELECT order_id, type, now() FROM order_timeline WHERE type = 'CONFIRMED'`, "order_timeline_once"},
	"a second entry with the same key": {
		`INSERT INTO order_timeline (order_id, type, happened_at, idempotency_key)
			SELECT id, 'REFUNDED', now(), 'k' FROM orders, generate_series(1, 2) WHERE status = 'FAILED'`, "order_timeline_by_key"},
	"an empty key": {
		`INSERT INTO order_timeline (order_id, type, happened_at, idempotency_key)
			SELECT id, 'REFUNDED', now(), '' FROM orders LIMIT 1`, "idempotency_key"},
}

// insertLine is followed by the quantity and the price of a line.
const insertLine = `INSERT INTO order_lines
		(order_id, user_id, status, position, product_id, quantity, price_amount, price_currency)
	SELECT id, user_id, status, 9, 'p'`

func TestTheDatabaseDefendsTheInvariants(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	oneOfEachKind(t, postgres.NewOrders(pool))
	refuses(t, pool, refusedStatements)
}

// refuses checks that the database refuses every statement.
func refuses(t *testing.T, pool *pgxpool.Pool, statements map[string]refusedStatement) {
	t.Helper()
	for name, tc := range statements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pool.Exec(t.Context(), tc.statement)
			var refused *pgconn.PgError
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "23") || !strings.Contains(refused.Error(), tc.by) {
				t.Errorf("got %v, want a constraint violation (class 23) that names %q", err, tc.by)
			}
		})
	}
}

// oneOfEachKind stores an order in each state that a row can be in.
func oneOfEachKind(t *testing.T, s *postgres.Orders) {
	t.Helper()
	cause := order.Cause{Reason: order.PaymentDeclined, Message: "declined"}
	check := func(_ order.Order, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	pending, confirmed, closing, failed, unpriced := ordertest.NewOrder(1), ordertest.NewOrder(1), ordertest.NewOrder(1),
		ordertest.NewOrder(1), ordertest.NewOrder(1)
	for _, o := range []order.Order{pending, confirmed, closing, failed, unpricedLike(ordertest.NewOrder(1))} {
		check(s.Create(ctx, o))
	}
	check(s.Confirm(ctx, confirmed.ID, "pi", nil))
	for _, o := range []order.Order{closing, failed, unpriced} {
		check(s.Close(ctx, o.Request(), cause, nil))
	}
	check(s.Finish(ctx, failed.ID, nil))
}

func TestMigratingTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	oneOfEachKind(t, postgres.NewOrders(pool))
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	var orders int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM orders").Scan(&orders); err != nil || orders != 6 {
		t.Errorf("%d orders after migrating again (%v), want 6", orders, err)
	}
}

func TestProgramsThatMigrateAtOnceWaitForEachOther(t *testing.T) {
	t.Parallel()
	url := servicestest.Postgres(t)
	errs := make(chan error)
	for range 3 {
		pool := open(t, url)
		go func() { errs <- postgres.Migrate(t.Context(), pool) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := postgres.NewOrders(open(t, url)).Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNotReadyBeforeTheMigration(t *testing.T) {
	t.Parallel()
	err := postgres.NewOrders(open(t, servicestest.Postgres(t))).Ready(t.Context())
	if !errors.Is(err, pgdb.ErrOutdated) {
		t.Errorf("got %v, want pgdb.ErrOutdated", err)
	}
}

func TestTheAPIsRoleCanOnlyRead(t *testing.T) {
	t.Parallel()
	url := servicestest.Postgres(t)
	pool := open(t, url)
	// Roles belong to the whole server: another test, or the stack, may have created it.
	if _, err := pool.Exec(t.Context(), `DO $$ BEGIN CREATE ROLE orders_api;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	s := postgres.NewOrders(pool)
	o := ordertest.NewOrder(1)
	if _, err := s.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	reader := asRole(t, url, "orders_api")
	booked := must(postgres.NewRefunds(pool).Fence(t.Context(), goodwill(o, 1), withdrawn))(t)
	if _, err := postgres.NewRefunds(reader).Refund(t.Context(), booked.ID); err != nil {
		t.Error(err)
	}
	if _, err := postgres.NewShipments(reader).OfOrder(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	if _, err := postgres.NewRefunds(reader).Finish(t.Context(), booked.ID, 1); !denied(err) {
		t.Errorf("finish a refund: %v, want permission denied", err)
	}
	r := postgres.NewOrders(reader)
	if _, err := r.Order(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	if _, err := r.Timeline(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.Confirm(t.Context(), o.ID, "pi", nil); !denied(err) {
		t.Errorf("confirm: %v, want permission denied", err)
	}
	if _, err := reader.Exec(t.Context(), "DELETE FROM orders"); !denied(err) {
		t.Errorf("delete: %v, want permission denied", err)
	}
}

func denied(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "42501"
}

func asRole(t *testing.T, url, role string) *pgxpool.Pool {
	t.Helper()
	return openWith(t, url, func(c *pgxpool.Config) {
		c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "SET ROLE "+role)
			return err
		}
	})
}
