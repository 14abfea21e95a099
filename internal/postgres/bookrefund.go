package postgres

import (
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// bookRefund decides about a request, unless there is a row: it stores the refund, its lines, and an entry of the timeline.
// The order is locked (lockOrder), so all sums stay as they are.
//
//   - o is the order, with the money that is left of it;
//   - lines are the units that are asked for, with how many are left and with their share of the line;
//   - amount is the money that is asked for, or else what the units are worth, or else all that is left, the latter two
//     rounded down to what the gateway can count;
//   - verdict is why it is refused, or null.
var bookRefund = `
WITH o AS (
	SELECT id, status, total_currency AS currency, updated_at, greatest(0, coalesce(total_amount, 0) - (
			SELECT coalesce(sum(amount), 0)::bigint FROM refunds
			WHERE order_id = @order::uuid AND status IN ('BOOKED', 'PENDING', 'SUCCEEDED')
		)) AS money_left,
		EXISTS (SELECT FROM shipments WHERE order_id = @order::uuid AND status <> 'REFUSED') AS shipped,
		EXISTS (SELECT FROM disputes WHERE order_id = @order::uuid AND (lost OR NOT closed)) AS disputed
	FROM orders WHERE id = @order::uuid AND NOT EXISTS (SELECT FROM refunds WHERE id = @id::uuid)
), asked AS (
	SELECT line, quantity, restock
	FROM jsonb_to_recordset(@items::jsonb) AS (line integer, quantity integer, restock integer)
	UNION ALL
	SELECT position, bought - back, bought - back FROM line_books
	WHERE @whole::boolean AND order_id = @order::uuid AND bought > back
), lines AS (
	SELECT line, position, quantity, restock, coalesce(bought - back, 0) AS unreturned,
		greatest(0, coalesce(least(bought - back, CASE
			WHEN @kind::text = 'CANCELLATION' THEN bought - cancelled - b.shipped
			WHEN o.shipped THEN b.shipped - returned
		END), 0)) AS units_left,
		share_of_line(worth, bought, back, back_worth, quantity) AS value
	FROM o, asked LEFT JOIN line_books b ON b.order_id = @order::uuid AND b.position = line
), amount AS (
	SELECT CASE
		WHEN @money::text = 'NONE' THEN 0
		WHEN @amount::bigint > 0 THEN @amount::bigint
		WHEN @money::text = 'GATEWAY'
			THEN computed - computed % coalesce(('` + pgdb.JSON(money.CardSteps) + `'::jsonb ->> currency)::bigint, 1)
		ELSE computed
	END AS amount
	FROM (
		SELECT currency, CASE WHEN @whole::boolean THEN money_left
			ELSE (SELECT coalesce(sum(value), 0)::bigint FROM lines) END AS computed
		FROM o
	) AS sum
), refusal AS (
	SELECT CASE
		WHEN status <> 'CONFIRMED' THEN 'ORDER_NOT_CONFIRMED'
		WHEN @replaces::uuid IS NOT NULL AND NOT EXISTS (
			SELECT FROM refunds f WHERE id = @replaces::uuid AND order_id = @order::uuid AND status = 'FAILED'
				AND NOT EXISTS (SELECT FROM refunds r WHERE r.replaces = f.id AND r.status <> 'REFUSED' AND NOT r.late)
		) THEN 'NOT_REPLACEABLE'
		WHEN updated_at < @since::timestamptz THEN 'CANCEL_WINDOW_OVER'
		WHEN @money::text = 'GATEWAY' AND disputed THEN 'PAYMENT_DISPUTED'
		WHEN @kind::text = 'CANCELLATION' AND @by::text = 'USER' AND shipped THEN 'ORDER_SHIPPED'
		WHEN @whole::boolean AND @replaces::uuid IS NULL AND NOT EXISTS (SELECT FROM lines) THEN 'NOTHING_LEFT'
		WHEN EXISTS (SELECT FROM lines WHERE quantity > unreturned) THEN 'QUANTITY_TOO_LARGE'
		WHEN EXISTS (SELECT FROM lines WHERE quantity > units_left)
			THEN CASE @kind::text WHEN 'CANCELLATION' THEN 'ORDER_SHIPPED' ELSE 'QUANTITY_TOO_LARGE' END
		WHEN @money::text <> 'NONE' AND (money_left = 0 OR amount = 0) THEN 'NOTHING_LEFT'
		WHEN amount > money_left OR @amount::bigint > 0 AND @currency::text <> currency THEN 'REFUND_TOO_LARGE'
	END AS reason
	FROM o, amount
), verdict AS (
	SELECT coalesce(@cause::jsonb, '` + pgdb.JSON(order.RefusalsOfBooks) + `'::jsonb -> reason || CASE
		WHEN reason = 'REFUND_TOO_LARGE'
			THEN jsonb_build_object('left', jsonb_build_object('amount', money_left, 'currency', currency))
		WHEN reason IN ('QUANTITY_TOO_LARGE', 'ORDER_SHIPPED') THEN jsonb_build_object('lines', (
			SELECT jsonb_agg(jsonb_build_object('line', line, 'asked', quantity, 'left', units_left) ORDER BY line)
			FROM lines WHERE quantity > units_left))
		ELSE '{}'
	END) AS cause
	FROM o, refusal
), changed AS (
	INSERT INTO refunds (id, order_id, kind, requested_by, subject, money, amount, currency, status, cause, reason, message,
		request_hash, replaces, units, settled, refused_at)
	SELECT @id::uuid, id, @kind::text, @by::text, @subject::text, @money::text, amount,
		CASE WHEN @amount::bigint > 0 THEN @currency::text ELSE currency END,
		CASE WHEN cause IS NULL THEN 'BOOKED' ELSE 'REFUSED' END, cause, @reason::text, @message::text, @hash::text,
		@replaces::uuid, CASE WHEN cause IS NULL AND EXISTS (SELECT FROM lines) THEN 'DUE' ELSE 'NONE' END,
		cause IS NOT NULL, CASE WHEN cause IS NOT NULL THEN now() END
	FROM o, amount, verdict
	RETURNING *
), stored AS (
	INSERT INTO refund_lines (refund_id, order_id, position, quantity, restock, value)
	SELECT id, order_id, position, quantity, lines.restock, value FROM changed, lines WHERE position IS NOT NULL
)` + insertRefundEntry
