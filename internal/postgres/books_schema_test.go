package postgres_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/order"
)

// What a faulty program or a hasty operator might do to the books, and what the database's error must name. Each statement
// meets a refund in each state (eachRefund), a dispute and a shipment.
var refusedBookStatements = map[string]refusedStatement{
	"an unknown kind":            {newRefund("'GIFT', 'OPERATOR', 'OTHER', 1"), "kind_is_known"},
	"an unknown requester":       {newRefund("'GOODWILL', 'ANN', 'OTHER', 1"), "requester_is_known"},
	"an unknown way":             {newRefund("'GOODWILL', 'OPERATOR', 'CASH', 1"), "money_is_known"},
	"a booking of no money":      {newRefund("'GOODWILL', 'OPERATOR', 'OTHER', 0"), "amount_is_money"},
	"a booking of negative":      {newRefund("'GOODWILL', 'OPERATOR', 'OTHER', -1"), "amount_is_money"},
	"an amount without money":    {newRefund("'GOODWILL', 'OPERATOR', 'NONE', 1"), "amount_is_money"},
	"a booking of too much":      {newRefund("'GOODWILL', 'OPERATOR', 'OTHER', 2998"), "more money than is left"},
	"an outside refund of ours":  {newRefund("'OUTSIDE', 'OPERATOR', 'GATEWAY', 1"), "outside_was_found_at_the_gateway"},
	"our refund of the gateway":  {newRefund("'GOODWILL', 'GATEWAY', 'GATEWAY', 1"), "outside_was_found_at_the_gateway"},
	"an outside refund unnamed":  {newRefund("'OUTSIDE', 'GATEWAY', 'GATEWAY', 1"), "outside_was_found_at_the_gateway"},
	"a booking of another order": {"UPDATE refunds SET order_id = gen_random_uuid(), version = version + 1", "never changes"},
	"a refund that begins late": {
		`INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, late, units, request_hash)
			SELECT gen_random_uuid(), id, 'GOODWILL', 'OPERATOR', 'OTHER', 1, 'USD', 'SUCCEEDED', false, 'NONE', 'h' ` + anyOrder,
		"starts as BOOKED or REFUSED"},
	"a booking in another currency": {
		`INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units, request_hash)
			SELECT gen_random_uuid(), id, 'GOODWILL', 'OPERATOR', 'OTHER', 1, 'EUR', 'BOOKED', 'NONE', 'h' ` + anyOrder,
		"another currency"},
	"a booking of a pending order": {
		`INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units, request_hash)
			SELECT gen_random_uuid(), id, 'GOODWILL', 'OPERATOR', 'OTHER', 1, 'USD', 'BOOKED', 'NONE', 'h'
			FROM orders WHERE status = 'PENDING'`,
		"not confirmed"},
	"a request without a hash": {
		`INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units)
			SELECT gen_random_uuid(), id, 'GOODWILL', 'OPERATOR', 'OTHER', 1, 'USD', 'BOOKED', 'NONE' ` + anyOrder,
		"request_has_a_hash"},

	"an unknown status":   {changing("status = 'DONE'", "BOOKED"), "status_is_known"},
	"from FAILED back":    {changing("status = 'SUCCEEDED', failed_at = null, cause = null", "FAILED"), "only climbs"},
	"from SUCCEEDED back": {changing("status = 'PENDING'", "SUCCEEDED"), "only climbs"},
	"from PENDING to REFUSED": {
		changing("status = 'REFUSED', cause = '{\"reason\": \"X\"}', refused_at = now(), accepted_at = null", "PENDING"), "only climbs"},
	"refused without a cause":    {changing("status = 'REFUSED', refused_at = now(), units = 'NONE'", "BOOKED"), "cause_is_why_not"},
	"a cause without a reason":   {changing("cause = '{\"reason\": \"\"}'", "FAILED"), "cause_is_why_not"},
	"accepted without a time":    {changing("status = 'PENDING'", "BOOKED"), "times_follow_the_status"},
	"another time":               {changing("accepted_at = now() + interval '1 s'", "PENDING"), "never changes"},
	"late without a refusal":     {changing("late = true, refused_at = now()", "PENDING"), "refused before"},
	"happened without late":      {changing("status = 'PENDING', cause = null, accepted_at = now()", "REFUSED"), "refused before"},
	"another amount":             {changing("amount = 2", "BOOKED"), "never changes"},
	"another reason":             {changing("reason = 'x'", "SUCCEEDED"), "never changes"},
	"another gateway ID":         {changing("gateway_id = 'x'", "SUCCEEDED"), "never changes"},
	"no gateway ID any more":     {changing("gateway_id = null", "SUCCEEDED"), "never changes"},
	"an empty gateway ID":        {changing("gateway_id = ''", "BOOKED"), "gateway_id_is_known"},
	"a gateway ID of another":    {changing("gateway_id = (SELECT max(gateway_id) FROM refunds)", "BOOKED"), "refunds_gateway_id_key"},
	"settled while BOOKED":       {changing("settled = true", "BOOKED"), "settled_is_at_rest"},
	"settled with units due":     {changing("settled = true", "PENDING"), "settled_is_at_rest"},
	"settled with a new status":  {changing("status = 'SUCCEEDED', units = 'DONE', settled = true", "PENDING"), "not settled yet"},
	"units of a booking":         {changing("units = 'DONE'", "BOOKED"), "units_move_for_accepted_refunds"},
	"units of a refusal":         {changing("units = 'DUE'", "REFUSED"), "its units are NONE"},
	"unknown units":              {changing("units = 'LOST'", "PENDING"), "units_are_known"},
	"a change without a version": {"UPDATE refunds SET settled = NOT settled WHERE status = 'SUCCEEDED'", "version"},
	"a time that turns back":     {changing("updated_at = created_at - interval '1 s'", "SUCCEEDED"), "the time back"},
	"a second replacement": {
		`INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units, request_hash, replaces)
			SELECT gen_random_uuid(), o.id, 'GOODWILL', 'OPERATOR', 'OTHER', 1, 'USD', 'BOOKED', 'NONE', 'h', r.id
			FROM refunds r, orders o, generate_series(1, 2) WHERE r.status = 'FAILED' AND o.id = r.order_id`,
		"refunds_replaced_once"},
	"other units":              {"UPDATE refund_lines SET quantity = 2", "rows of refund_lines never change"},
	"more on sale than return": {newRefundLine("1, 2, 0"), "restock_is_part_of_quantity"},
	"a line of no units":       {newRefundLine("0, 0, 0"), "quantity"},
	"a line of negative worth": {newRefundLine("1, 1, -1"), "value"},
	"a line of another order": {
		"INSERT INTO refund_lines SELECT id, gen_random_uuid(), 2, 1, 1, 0 FROM refunds WHERE units = 'NONE' LIMIT 1",
		"refund_lines_order_id_position_fkey"},

	"a dispute that opens again": {
		"UPDATE disputes SET closed = false, closed_at = null, version = version + 1", "never opens again"},
	"a dispute that is lost open":    {newDispute("false, true, now(), null"), "lost_is_closed"},
	"a dispute that is closed never": {newDispute("true, false, now(), null"), "closed_has_a_time"},

	"a shipment that comes back": {
		"UPDATE shipments SET status = 'SHIPPED', delivered_at = null, version = version + 1 WHERE status = 'DELIVERED'",
		"only SHIPPED changes"},
	"a shipment refused later": {
		`UPDATE shipments SET status = 'REFUSED', cause = '{"reason": "X"}', settled = true, version = version + 1
			WHERE status = 'SHIPPED'`, "only SHIPPED changes"},
	"delivered without a time": {
		"UPDATE shipments SET status = 'DELIVERED', version = version + 1 WHERE status = 'SHIPPED'", "times_follow_the_status"},
	"another carrier":                    {"UPDATE shipments SET carrier = 'x', version = version + 1", "never changes"},
	"a change of a shipment, no version": {"UPDATE shipments SET settled = NOT settled WHERE status = 'SHIPPED'", "version"},
	"a refused shipment to be announced": {
		"UPDATE shipments SET settled = false, version = version + 1 WHERE status = 'REFUSED'", "refused_is_settled"},
	"other units of a shipment": {"UPDATE shipment_lines SET quantity = 2", "rows of shipment_lines never change"},
	"a shipment of an order not confirmed": {
		`INSERT INTO shipments (id, order_id, status, request_hash) SELECT gen_random_uuid(), id, 'SHIPPED', 'h'
			FROM orders WHERE status = 'PENDING'`, "not confirmed"},
	"a shipment of too much": {
		`WITH s AS (
			INSERT INTO shipments (id, order_id, status, request_hash) SELECT gen_random_uuid(), id, 'SHIPPED', 'h' ` + anyOrder + `
			RETURNING id, order_id
		) INSERT INTO shipment_lines SELECT id, order_id, 1, 3 FROM s`, "more of a line than is left"},
	"a booking of too many units": {
		`WITH r AS (
			INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units, request_hash)
			SELECT gen_random_uuid(), id, 'RETURN', 'OPERATOR', 'NONE', 0, 'USD', 'BOOKED', 'DUE', 'h' ` + anyOrder + `
			RETURNING id, order_id
		) INSERT INTO refund_lines SELECT id, order_id, 1, 3, 3, 0 FROM r`, "more of a line than is left"},
}

const anyOrder = "FROM orders WHERE status = 'CONFIRMED' AND id NOT IN (SELECT order_id FROM refunds) LIMIT 1"

// newRefund inserts a booking with a kind, a requester, a way of the money and an amount.
func newRefund(values string) string {
	return `INSERT INTO refunds (id, order_id, status, currency, units, request_hash, kind, requested_by, money, amount)
		SELECT gen_random_uuid(), id, 'BOOKED', 'USD', 'NONE', 'h', ` + values + " " + anyOrder
}

// newRefundLine adds a line of a quantity, restocked units and a value to a refund that has none.
func newRefundLine(values string) string {
	return "INSERT INTO refund_lines SELECT id, order_id, 1, " + values + " FROM refunds WHERE units = 'NONE' LIMIT 1"
}

// newDispute inserts a dispute that is closed or not, lost or not, and was opened and closed at some time.
func newDispute(values string) string {
	return `INSERT INTO disputes (id, order_id, payment_id, amount, currency, status, reason, closed, lost, opened_at, closed_at)
		SELECT 'dp', id, 'pi', 1, 'USD', '', '', ` + values + " " + anyOrder
}

// changing changes the refunds of a status.
func changing(set, status string) string {
	return "UPDATE refunds SET " + set + ", version = version + 1 WHERE status = '" + status + "'"
}

func TestTheDatabaseDefendsTheBooks(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	b := booksIn(pool)
	sold(t, b)
	must(b.Create(t.Context(), sold(t, fakeBooks())))(t)
	for _, statuses := range [][]order.RefundStatus{
		{}, {order.RefundRefused}, {order.RefundPending}, {order.RefundSucceeded}, {order.RefundFailed},
	} {
		r := b.book(t, request(sold(t, b), order.Return, units(1, 1)))
		for _, status := range statuses {
			r = b.settle(t, r.ID, status)
		}
		if r.Status == order.RefundSucceeded {
			must(b.refunds.ReturnedUnits(t.Context(), r.ID, order.UnitsDone))(t)
		}
	}
	o := sold(t, b)
	d := disputeOf(o, "dp_1")
	d.Closed = true
	note(t, b, d)
	b.ship(t, shipment(o, 1, 1))
	must(b.shipments.Ship(t.Context(), shipment(o, 1, 9)))(t)
	delivered := b.ship(t, shipment(o, 2, 1))
	must(b.shipments.Arrive(t.Context(), delivered.ID, order.Delivered))(t)
	refuses(t, pool, refusedBookStatements)
}

func TestTheRankIsTheSameInTheDatabase(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	for _, status := range []order.RefundStatus{
		order.RefundBooked, order.RefundRefused, order.RefundPending, order.RefundSucceeded, order.RefundFailed, "DONE",
	} {
		var rank int
		err := pool.QueryRow(t.Context(), "SELECT coalesce(refund_rank($1), 0)", string(status)).Scan(&rank)
		if err != nil || rank != status.Rank() {
			t.Errorf("%s has the rank %d (%v), want %d", status, rank, err, status.Rank())
		}
	}
}
