-- +goose Up

-- The books of a confirmed order: what was given back, what is disputed and what was shipped. The order's row does not
-- change any more, and no total is stored: sums are read from these rows, under a lock on the order's row.

-- The order in which a refund's statuses follow each other. Steps may be skipped, but none is taken back.
-- +goose StatementBegin
CREATE FUNCTION refund_rank(status text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(ARRAY['BOOKED', 'REFUSED', 'PENDING', 'SUCCEEDED', 'FAILED'], status)
$$;

-- What quantity more units of a line are worth, of bought units that are worth so much, when back units that were worth
-- back_worth have gone back. The parts of a line never exceed it, and add up to it when all units are back, whatever was
-- booked and refused in between. Rounding each part by itself would not: of three thirds of 100, the first refused and
-- booked again, it makes 101.
CREATE FUNCTION share_of_line(worth bigint, bought bigint, back bigint, back_worth bigint, quantity bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN back + quantity >= bought THEN worth - back_worth
        ELSE greatest(0, div(worth::numeric * (back + quantity), bought)::bigint - back_worth)
    END
$$;
-- +goose StatementEnd

-- A refund. It is booked before anything moves; then the gateway says how it ends. What the gateway did is recorded whatever
-- the sums say, so no constraint bounds the sum of the rows. Bookings are bounded (guard_booking).
CREATE TABLE refunds (
    id           uuid        PRIMARY KEY,
    order_id     uuid        NOT NULL REFERENCES orders ON DELETE CASCADE,
    kind         text        NOT NULL,
    requested_by text        NOT NULL,
    subject      text        NOT NULL DEFAULT '', -- of the requester's token
    money        text        NOT NULL,
    amount       bigint      NOT NULL,            -- minor units of currency
    currency     text,                            -- null if the order was never priced
    status       text        NOT NULL,
    late         boolean     NOT NULL DEFAULT false, -- it was REFUSED, and had happened
    cause        jsonb,                           -- why it is REFUSED or FAILED
    gateway_id   text        UNIQUE,              -- the gateway's reference, once known
    reason       text        NOT NULL DEFAULT '', -- for operators
    message      text        NOT NULL DEFAULT '', -- for the customer
    request_hash text        NOT NULL DEFAULT '', -- tells a retry from another request with the same key
    replaces     uuid,                            -- the FAILED refund that this one makes good
    units        text        NOT NULL,            -- what became of the units in the catalog
    settled      boolean     NOT NULL DEFAULT false, -- at rest: its units are moved and its status is announced
    version      bigint      NOT NULL DEFAULT 1,  -- grows by one with every change
    created_at   timestamptz NOT NULL DEFAULT now(),
    accepted_at  timestamptz,
    refused_at   timestamptz,
    failed_at    timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    looked_at    timestamptz NOT NULL DEFAULT now(), -- when the gateway was last asked about it; no change of the refund

    CONSTRAINT kind_is_known CHECK (kind IN ('CANCELLATION', 'RETURN', 'GOODWILL', 'OUTSIDE')),
    CONSTRAINT requester_is_known CHECK (requested_by IN ('USER', 'OPERATOR', 'GATEWAY')),
    CONSTRAINT outside_was_found_at_the_gateway CHECK (
        (kind = 'OUTSIDE') = (requested_by = 'GATEWAY')
        AND (kind <> 'OUTSIDE' OR (money = 'GATEWAY' AND gateway_id IS NOT NULL))),
    CONSTRAINT request_has_a_hash CHECK (request_hash <> '' OR kind = 'OUTSIDE'),
    CONSTRAINT money_is_known CHECK (money IN ('GATEWAY', 'OTHER', 'NONE')),
    CONSTRAINT amount_is_money CHECK (
        amount >= 0 AND currency ~ '^[A-Z]{3}$'
        AND (currency IS NOT NULL OR (amount = 0 AND refused_at IS NOT NULL))
        AND (money <> 'NONE' OR amount = 0) AND (amount > 0 OR money = 'NONE' OR refused_at IS NOT NULL)),
    CONSTRAINT status_is_known CHECK (refund_rank(status) IS NOT NULL),
    CONSTRAINT cause_is_why_not CHECK (
        (cause IS NOT NULL) = (status IN ('REFUSED', 'FAILED')) AND coalesce(cause ->> 'reason', '?') <> ''),
    CONSTRAINT times_follow_the_status CHECK (
        (accepted_at IS NOT NULL) = (status IN ('PENDING', 'SUCCEEDED', 'FAILED'))
        AND (refused_at IS NOT NULL) = (status = 'REFUSED' OR late) AND (failed_at IS NOT NULL) = (status = 'FAILED')),
    CONSTRAINT late_was_accepted CHECK (NOT late OR accepted_at IS NOT NULL),
    CONSTRAINT gateway_id_is_known CHECK (gateway_id <> ''),
    CONSTRAINT units_are_known CHECK (units IN ('NONE', 'DUE', 'DONE', 'SKIPPED')),
    CONSTRAINT units_move_for_accepted_refunds CHECK (
        (units NOT IN ('DONE', 'SKIPPED') OR accepted_at IS NOT NULL) AND (refused_at IS NULL OR units = 'NONE')),
    CONSTRAINT settled_is_at_rest CHECK (NOT settled OR (status <> 'BOOKED' AND units <> 'DUE')),
    CONSTRAINT version_is_positive CHECK (version > 0),
    CONSTRAINT updated_after_created CHECK (updated_at >= created_at)
);

CREATE INDEX refunds_of_order ON refunds (order_id, created_at, id);
CREATE INDEX refunds_unsettled ON refunds (updated_at, id) WHERE NOT settled;
CREATE INDEX refunds_pending ON refunds (looked_at, id) WHERE status = 'PENDING';
-- A late refund is a fact, even if another one has replaced the same refund meanwhile.
CREATE UNIQUE INDEX refunds_replaced_once ON refunds (replaces) WHERE status <> 'REFUSED' AND NOT late;

-- What a refund takes back of the lines of its order. Never changes.
CREATE TABLE refund_lines (
    refund_id uuid    NOT NULL REFERENCES refunds ON DELETE CASCADE,
    order_id  uuid    NOT NULL,
    position  integer NOT NULL, -- the line of the order
    quantity  integer NOT NULL CHECK (quantity >= 1),
    restock   integer NOT NULL, -- units that go back on sale; the rest is written off
    value     bigint  NOT NULL CHECK (value >= 0), -- their share of the line, in minor units of the order's currency
    PRIMARY KEY (refund_id, position),
    FOREIGN KEY (order_id, position) REFERENCES order_lines ON DELETE CASCADE,

    CONSTRAINT restock_is_part_of_quantity CHECK (restock BETWEEN 0 AND quantity)
);

CREATE INDEX refund_lines_of_line ON refund_lines (order_id, position);

-- Payments that a customer's bank has taken back, or may take back. Their money is not in the sums of the refunds.
CREATE TABLE disputes (
    id         text        PRIMARY KEY CHECK (id <> ''), -- the gateway's
    order_id   uuid        NOT NULL REFERENCES orders ON DELETE CASCADE,
    payment_id text        NOT NULL CHECK (payment_id <> ''),
    amount     bigint      NOT NULL CHECK (amount >= 0),
    currency   text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status     text        NOT NULL, -- the gateway's word
    reason     text        NOT NULL, -- the gateway's word
    closed     boolean     NOT NULL DEFAULT false,
    lost       boolean     NOT NULL DEFAULT false,
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz,
    version    bigint      NOT NULL DEFAULT 1,

    CONSTRAINT lost_is_closed CHECK (closed OR NOT lost),
    CONSTRAINT closed_has_a_time CHECK (closed = (closed_at IS NOT NULL)),
    CONSTRAINT version_is_positive CHECK (version > 0)
);

CREATE INDEX disputes_of_order ON disputes (order_id, opened_at, id);

-- A shipment. REFUSED is what the books refused: nothing was shipped.
CREATE TABLE shipments (
    id           uuid        PRIMARY KEY,
    order_id     uuid        NOT NULL REFERENCES orders ON DELETE CASCADE,
    status       text        NOT NULL,
    cause        jsonb,                           -- why it is REFUSED
    carrier      text        NOT NULL DEFAULT '',
    tracking     text        NOT NULL DEFAULT '',
    subject      text        NOT NULL DEFAULT '', -- of the requester's token
    request_hash text        NOT NULL CHECK (request_hash <> ''),
    settled      boolean     NOT NULL DEFAULT false, -- announced as it is
    version      bigint      NOT NULL DEFAULT 1,
    shipped_at   timestamptz NOT NULL DEFAULT now(), -- when it was recorded
    delivered_at timestamptz,
    lost_at      timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT status_is_known CHECK (status IN ('SHIPPED', 'DELIVERED', 'LOST', 'REFUSED')),
    CONSTRAINT cause_is_why_not CHECK (
        (cause IS NOT NULL) = (status = 'REFUSED') AND coalesce(cause ->> 'reason', '?') <> ''),
    CONSTRAINT times_follow_the_status CHECK (
        (delivered_at IS NOT NULL) = (status = 'DELIVERED') AND (lost_at IS NOT NULL) = (status = 'LOST')),
    CONSTRAINT refused_is_settled CHECK (status <> 'REFUSED' OR settled),
    CONSTRAINT version_is_positive CHECK (version > 0),
    CONSTRAINT updated_after_shipped CHECK (updated_at >= shipped_at)
);

CREATE INDEX shipments_of_order ON shipments (order_id, shipped_at, id);
CREATE INDEX shipments_unsettled ON shipments (updated_at, id) WHERE NOT settled;

-- What a shipment holds of the lines of its order. Never changes.
CREATE TABLE shipment_lines (
    shipment_id uuid    NOT NULL REFERENCES shipments ON DELETE CASCADE,
    order_id    uuid    NOT NULL,
    position    integer NOT NULL, -- the line of the order
    quantity    integer NOT NULL CHECK (quantity >= 1),
    PRIMARY KEY (shipment_id, position),
    FOREIGN KEY (order_id, position) REFERENCES order_lines ON DELETE CASCADE
);

CREATE INDEX shipment_lines_of_line ON shipment_lines (order_id, position);

-- Each line of an order with its sums. A refund counts unless it was refused; a late one never took its units.
CREATE VIEW line_books AS
SELECT l.order_id, l.position, l.product_id, l.name, l.quantity AS bought,
    coalesce(l.price_amount * l.quantity, 0) AS worth, -- minor units
    back.*, sent.*
FROM order_lines l
CROSS JOIN LATERAL (
    SELECT coalesce(sum(b.quantity), 0) AS back, -- units given back, or about to be
        coalesce(sum(b.value), 0)::bigint AS back_worth,
        coalesce(sum(b.quantity) FILTER (WHERE r.kind = 'CANCELLATION'), 0) AS cancelled,
        coalesce(sum(b.quantity) FILTER (WHERE r.kind = 'RETURN'), 0) AS returned,
        coalesce(sum(b.quantity) FILTER (WHERE r.status <> 'BOOKED'), 0) AS back_accepted,
        coalesce(sum(b.quantity) FILTER (WHERE r.status <> 'BOOKED' AND r.kind = 'CANCELLATION'), 0) AS cancelled_accepted
    FROM refund_lines b JOIN refunds r ON r.id = b.refund_id
    WHERE b.order_id = l.order_id AND b.position = l.position AND r.status <> 'REFUSED' AND NOT r.late
) AS back
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.quantity), 0) AS shipped,
        coalesce(sum(s.quantity) FILTER (WHERE p.status = 'DELIVERED'), 0) AS delivered
    FROM shipment_lines s JOIN shipments p ON p.id = s.shipment_id
    WHERE s.order_id = l.order_id AND s.position = l.position AND p.status <> 'REFUSED'
) AS sent;

-- +goose StatementBegin
CREATE FUNCTION guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF refund_rank(NEW.status) < refund_rank(OLD.status) THEN
        RAISE EXCEPTION 'refund %: from % to %: a status only climbs', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.status <> OLD.status AND NEW.settled THEN
        RAISE EXCEPTION 'refund %: a new status is not settled yet', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.late <> (OLD.late OR (OLD.status = 'REFUSED' AND NEW.status <> 'REFUSED')) THEN
        RAISE EXCEPTION 'refund %: late means that it was refused before', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.order_id, NEW.kind, NEW.requested_by, NEW.subject, NEW.money, NEW.amount, NEW.currency, NEW.reason,
            NEW.message, NEW.request_hash, NEW.replaces, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.order_id, OLD.kind, OLD.requested_by, OLD.subject, OLD.money, OLD.amount, OLD.currency, OLD.reason,
            OLD.message, OLD.request_hash, OLD.replaces, OLD.created_at)
        OR NEW.gateway_id <> OLD.gateway_id OR NEW.gateway_id IS NULL AND OLD.gateway_id IS NOT NULL
        OR NEW.accepted_at <> OLD.accepted_at OR NEW.refused_at <> OLD.refused_at OR NEW.failed_at <> OLD.failed_at
    THEN
        RAISE EXCEPTION 'refund %: what was asked for, and when what happened, never changes', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.units <> OLD.units AND OLD.units <> 'DUE' THEN
        RAISE EXCEPTION 'refund %: its units are % and stay so', OLD.id, OLD.units
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 OR NEW.updated_at < OLD.updated_at THEN
        RAISE EXCEPTION 'refund %: a change must increment the version and not turn the time back', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

-- A booking is a wish, and never exceeds what is left. Its lines are in the table by now: the trigger fires after the
-- statement. Refunds found at the gateway are facts; their order, too, is confirmed.
CREATE FUNCTION guard_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE id = NEW.order_id AND status = 'CONFIRMED' AND total_currency = NEW.currency) THEN
        RAISE EXCEPTION 'refund %: its order is not confirmed, or has another currency', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.kind <> 'OUTSIDE' AND NEW.amount > 0 AND (
        SELECT sum(r.amount) > o.total_amount FROM refunds r JOIN orders o ON o.id = r.order_id
        WHERE o.id = NEW.order_id AND r.status IN ('BOOKED', 'PENDING', 'SUCCEEDED') GROUP BY o.total_amount)
    THEN
        RAISE EXCEPTION 'refund %: more money than is left', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM line_books WHERE order_id = NEW.order_id AND (back > bought OR back_worth > worth)) THEN
        RAISE EXCEPTION 'refund %: more of a line than is left', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION guard_new_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('BOOKED', 'REFUSED') OR NEW.late OR NEW.version <> 1 THEN
        RAISE EXCEPTION 'refund %: a refund starts as BOOKED or REFUSED', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed THEN
        RAISE EXCEPTION 'dispute % is closed: it never opens again', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.order_id, NEW.payment_id, NEW.currency, NEW.opened_at, NEW.version)
        IS DISTINCT FROM (OLD.id, OLD.order_id, OLD.payment_id, OLD.currency, OLD.opened_at, OLD.version + 1)
    THEN
        RAISE EXCEPTION 'dispute %: what is disputed never changes, and a change must increment the version', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION guard_shipment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND (OLD.status <> 'SHIPPED' OR NEW.status = 'REFUSED' OR NEW.settled) THEN
        RAISE EXCEPTION 'shipment %: from % to %: only SHIPPED changes, and is not settled yet', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.order_id, NEW.cause, NEW.carrier, NEW.tracking, NEW.subject, NEW.request_hash, NEW.shipped_at)
        IS DISTINCT FROM
        (OLD.id, OLD.order_id, OLD.cause, OLD.carrier, OLD.tracking, OLD.subject, OLD.request_hash, OLD.shipped_at)
        OR NEW.delivered_at <> OLD.delivered_at OR NEW.lost_at <> OLD.lost_at
    THEN
        RAISE EXCEPTION 'shipment %: what was shipped, and when, never changes', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 OR NEW.updated_at < OLD.updated_at THEN
        RAISE EXCEPTION 'shipment %: a change must increment the version and not turn the time back', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION guard_shipping() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE id = NEW.order_id AND status = 'CONFIRMED') THEN
        RAISE EXCEPTION 'shipment %: its order is not confirmed', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM line_books WHERE order_id = NEW.order_id AND shipped + cancelled > bought) THEN
        RAISE EXCEPTION 'shipment %: more of a line than is left', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER guard_new_refund BEFORE INSERT ON refunds FOR EACH ROW EXECUTE FUNCTION guard_new_refund();
CREATE TRIGGER guard_booking AFTER INSERT ON refunds FOR EACH ROW
    WHEN (NEW.status = 'BOOKED') EXECUTE FUNCTION guard_booking();
-- A look at the gateway that finds nothing new changes only looked_at.
CREATE TRIGGER guard_refund BEFORE UPDATE ON refunds FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'looked_at' <> to_jsonb(NEW) - 'looked_at') EXECUTE FUNCTION guard_refund();
CREATE TRIGGER refund_lines_never_change BEFORE UPDATE ON refund_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER guard_dispute BEFORE UPDATE ON disputes FOR EACH ROW EXECUTE FUNCTION guard_dispute();
CREATE TRIGGER guard_shipping AFTER INSERT ON shipments FOR EACH ROW
    WHEN (NEW.status = 'SHIPPED') EXECUTE FUNCTION guard_shipping();
CREATE TRIGGER guard_shipment BEFORE UPDATE ON shipments FOR EACH ROW EXECUTE FUNCTION guard_shipment();
CREATE TRIGGER shipment_lines_never_change BEFORE UPDATE ON shipment_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
