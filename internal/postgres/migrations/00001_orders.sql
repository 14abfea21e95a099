-- +goose Up

-- An order. Only PENDING changes; the other statuses are final. closing is the fence: a closing order ends as ends_as.
CREATE TABLE orders (
    id             uuid        PRIMARY KEY,
    user_id        bigint      NOT NULL,
    status         text        NOT NULL,
    closing        boolean     NOT NULL DEFAULT false,
    cause          jsonb,               -- why it is closing; the first cause stays
    ends_as        text,                -- FAILED or CANCELLED, by the cause's reason; null until closing
    total_amount   bigint,              -- minor units of total_currency; null until it is priced
    total_currency text,                -- ISO 4217
    payment_method text        NOT NULL, -- the gateway's reference; never a card number
    payment_id     text,                -- the gateway's reference to the payment; known once confirmed
    request_hash   text        NOT NULL, -- tells a retry from another order with the same key
    version        bigint      NOT NULL DEFAULT 1, -- grows by one with every change
    created_at     timestamptz NOT NULL DEFAULT now(), -- when it was placed, which may be before it was stored
    updated_at     timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT status_is_known CHECK (status IN ('PENDING', 'CONFIRMED', 'FAILED', 'CANCELLED')),
    CONSTRAINT closing_has_a_cause CHECK (
        closing = (cause IS NOT NULL) AND closing = (ends_as IS NOT NULL)
        AND (NOT closing OR coalesce(cause ->> 'reason', '') <> '')),
    CONSTRAINT ends_as_is_an_undone_end CHECK (ends_as IN ('FAILED', 'CANCELLED')),
    CONSTRAINT undone_was_fenced CHECK (status NOT IN ('FAILED', 'CANCELLED') OR (closing AND status = ends_as)),
    CONSTRAINT confirmed_was_not_fenced CHECK (status <> 'CONFIRMED' OR NOT closing),
    CONSTRAINT payment_is_known_when_confirmed CHECK ((status = 'CONFIRMED') = (payment_id IS NOT NULL)),
    CONSTRAINT payment_is_named CHECK (payment_id <> ''),
    CONSTRAINT priced_when_confirmed CHECK (status <> 'CONFIRMED' OR total_amount IS NOT NULL),
    CONSTRAINT total_is_money CHECK (
        (total_amount IS NULL) = (total_currency IS NULL)
        AND total_amount > 0 AND total_currency ~ '^[A-Z]{3}$'),
    CONSTRAINT version_is_positive CHECK (version > 0),
    CONSTRAINT updated_after_created CHECK (updated_at >= created_at)
);

-- Every list of orders, whatever its filter, is a range of an index: the columns are the filters, then the status, then
-- the place in the list (newest first; unfinished orders oldest first). A list of all statuses merges one range per status.
CREATE INDEX orders_by_status ON orders (status, created_at, id);
CREATE INDEX orders_of_user_by_status ON orders (user_id, status, created_at, id);

-- What was ordered, at the prices of the time. A line repeats its order's user, status and time (created_at), so that one
-- index finds the orders of a product. It gets its price once, with the order's total; then only the status changes, and only
-- together with the order's (carry_status).
CREATE TABLE order_lines (
    order_id       uuid        NOT NULL REFERENCES orders ON DELETE CASCADE,
    position       integer     NOT NULL CHECK (position > 0),
    user_id        bigint      NOT NULL,
    status         text        NOT NULL,
    ordered_at     timestamptz NOT NULL DEFAULT now(),
    product_id     text        NOT NULL CHECK (product_id <> ''),
    name           text        NOT NULL DEFAULT '', -- '' until priced
    quantity       integer     NOT NULL,
    price_amount   bigint,                          -- of one unit, in minor units; null until priced
    price_currency text,
    PRIMARY KEY (order_id, position),

    CONSTRAINT quantity_is_allowed CHECK (quantity BETWEEN 1 AND 10000),
    CONSTRAINT price_is_money CHECK (
        (price_amount IS NULL) = (price_currency IS NULL)
        AND price_amount >= 0 AND price_currency ~ '^[A-Z]{3}$')
);

CREATE INDEX lines_of_product_by_status ON order_lines (product_id, status, ordered_at, order_id);
CREATE INDEX lines_of_user_and_product_by_status ON order_lines (user_id, product_id, status, ordered_at, order_id);

-- The timeline of every order, in the sequence of id: steps, undos, operators' commands and the order's transitions.
CREATE TABLE order_timeline (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id        uuid        NOT NULL REFERENCES orders ON DELETE CASCADE,
    type            text        NOT NULL CHECK (type <> ''),
    happened_at     timestamptz NOT NULL,
    step            text        NOT NULL DEFAULT '', -- '' for transitions of the order itself
    detail          text        NOT NULL DEFAULT '',
    idempotency_key text        CHECK (idempotency_key <> '') -- of an entry outside a transition: written once per key
);

CREATE INDEX order_timeline_of_order ON order_timeline (order_id, id);

-- A transition happens at most once, however often it is repeated.
CREATE UNIQUE INDEX order_timeline_once ON order_timeline (order_id, type)
    WHERE type IN ('CREATED', 'PRICED', 'CLOSING', 'CONFIRMED', 'FAILED', 'CANCELLED');
CREATE UNIQUE INDEX order_timeline_by_key ON order_timeline (order_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'PENDING' THEN
        RAISE EXCEPTION 'order % is %: a final status never changes', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.closing AND (NEW.closing, NEW.cause, NEW.ends_as) IS DISTINCT FROM (OLD.closing, OLD.cause, OLD.ends_as) THEN
        RAISE EXCEPTION 'order % is closing: the first cause stays', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.user_id, NEW.payment_method, NEW.request_hash, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.payment_method, OLD.request_hash, OLD.created_at)
    THEN
        RAISE EXCEPTION 'order %: what was ordered never changes', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.total_amount, NEW.total_currency) IS DISTINCT FROM (OLD.total_amount, OLD.total_currency)
        AND (OLD.total_amount IS NOT NULL OR NEW.closing OR NEW.status <> 'PENDING')
    THEN
        RAISE EXCEPTION 'order %: an order is priced once, before it closes or is confirmed', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 OR NEW.updated_at < OLD.updated_at THEN
        RAISE EXCEPTION 'order %: a change must increment the version and not turn the time back', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.status = 'CONFIRMED' AND (
        SELECT sum(price_amount::numeric * quantity) = NEW.total_amount
               AND bool_and(price_amount IS NOT NULL AND price_currency = NEW.total_currency)
        FROM order_lines WHERE order_id = NEW.id
    ) IS NOT TRUE THEN
        RAISE EXCEPTION 'order %: its priced lines do not add up to its total', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION carry_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE order_lines SET status = NEW.status WHERE order_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER guard_order BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION guard_order();
CREATE TRIGGER carry_status AFTER UPDATE ON orders FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION carry_status();
-- The depth is 0 in a statement of a client and 1 inside carry_status.
CREATE TRIGGER lines_never_change BEFORE UPDATE ON order_lines FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND NOT (
        OLD.price_amount IS NULL AND NEW.price_amount IS NOT NULL
        AND (NEW.order_id, NEW.position, NEW.user_id, NEW.status, NEW.ordered_at, NEW.product_id, NEW.quantity)
            = (OLD.order_id, OLD.position, OLD.user_id, OLD.status, OLD.ordered_at, OLD.product_id, OLD.quantity)))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER timeline_never_changes BEFORE UPDATE ON order_timeline FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The api reads with the role orders_api, which may do nothing else. Without that role there is nothing to grant.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'orders_api') THEN
        GRANT USAGE ON SCHEMA public TO orders_api;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO orders_api;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO orders_api;
    END IF;
END
$$;
-- +goose StatementEnd
