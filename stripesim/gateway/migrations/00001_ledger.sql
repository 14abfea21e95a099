-- +goose Up
CREATE TABLE payment_intents (
    id                 text PRIMARY KEY,
    seq                bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- order of creation; the cursor of lists and searches
    amount             bigint NOT NULL CHECK (amount > 0),         -- in Stripe's smallest unit of the currency
    currency           text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    status             text NOT NULL CHECK (status IN ('requires_payment_method', 'requires_confirmation', 'requires_action',
                           'canceled', 'succeeded')),
    payment_method     text, -- pm_…; cleared when it was declined
    metadata           jsonb NOT NULL,
    order_id           text GENERATED ALWAYS AS (metadata ->> 'order_id') STORED,
    client_secret      text NOT NULL,
    last_payment_error jsonb,
    created_at         timestamptz NOT NULL
);
CREATE INDEX payment_intents_by_order ON payment_intents (order_id, seq);

-- A charge is one attempt to take the money of an intent.
CREATE TABLE charges (
    id                text PRIMARY KEY,
    seq               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    payment_intent_id text NOT NULL REFERENCES payment_intents,
    amount            bigint NOT NULL CHECK (amount > 0),
    amount_captured   bigint NOT NULL CHECK (amount_captured IN (0, amount)),
    amount_refunded   bigint NOT NULL DEFAULT 0 CHECK (amount_refunded BETWEEN 0 AND amount_captured),
    status            text NOT NULL CHECK (status IN ('succeeded', 'failed')),
    payment_method    text NOT NULL,
    failure_code      text,
    decline_code      text,
    created_at        timestamptz NOT NULL,
    CHECK ((status = 'succeeded') = (amount_captured > 0))
);
CREATE UNIQUE INDEX charges_one_success_per_intent ON charges (payment_intent_id) WHERE status = 'succeeded';
CREATE INDEX charges_by_intent ON charges (payment_intent_id, seq);

CREATE TABLE refunds (
    id                text PRIMARY KEY,
    seq               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    charge_id         text NOT NULL REFERENCES charges,
    payment_intent_id text NOT NULL REFERENCES payment_intents,
    amount            bigint NOT NULL CHECK (amount > 0),
    status            text NOT NULL CHECK (status IN ('pending', 'requires_action', 'succeeded', 'failed', 'canceled')),
    failure_reason    text CHECK (failure_reason IS NULL OR status = 'failed'),
    metadata          jsonb NOT NULL,
    next_status       text, -- that it changes to by itself at due_at
    next_reason       text, -- its failure_reason then
    due_at            timestamptz,
    created_at        timestamptz NOT NULL,
    CHECK ((next_status IS NULL) = (due_at IS NULL))
);
CREATE INDEX refunds_by_intent ON refunds (payment_intent_id, seq);
CREATE INDEX refunds_due ON refunds (due_at) WHERE due_at IS NOT NULL;

-- A payment that the customer's bank has taken back, or may take back.
CREATE TABLE disputes (
    id                text PRIMARY KEY,
    seq               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    charge_id         text NOT NULL REFERENCES charges,
    payment_intent_id text NOT NULL REFERENCES payment_intents,
    amount            bigint NOT NULL CHECK (amount > 0),
    status            text NOT NULL CHECK (status IN ('needs_response', 'warning_needs_response', 'won', 'lost', 'warning_closed')),
    reason            text NOT NULL,
    created_at        timestamptz NOT NULL
);
CREATE INDEX disputes_by_intent ON disputes (payment_intent_id, seq);

-- The responses by idempotency key. A row is written in the transaction of the call's effect, so an effect and its response
-- always exist together.
CREATE TABLE idempotency_keys (
    key         text PRIMARY KEY,
    fingerprint text NOT NULL, -- SHA-256 over method, path and parameters
    status      int NOT NULL,  -- HTTP
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Payment events for the configured webhook, written in the transaction of what they report.
CREATE TABLE events (
    id         text PRIMARY KEY,
    type       text NOT NULL,
    body       bytea NOT NULL, -- as it is signed and sent
    created_at timestamptz NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    due_at     timestamptz,    -- of the next attempt; null once delivered or given up, and of a lost one
    copies     int NOT NULL DEFAULT 1 CHECK (copies >= 0), -- that are still to be delivered
    delivered  boolean NOT NULL DEFAULT false
);
CREATE INDEX events_due ON events (due_at) WHERE due_at IS NOT NULL;

-- +goose Down
DROP TABLE events, idempotency_keys, disputes, refunds, charges, payment_intents;
