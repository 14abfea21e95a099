-- +goose Up

-- Where users want to be told. Users without a row, or with neither address, are told by a line in the log. Operators
-- write this table; the service calls the URLs in it.
CREATE TABLE contacts (
    user_id        bigint PRIMARY KEY,
    email          text CHECK (email LIKE '_%@_%'),
    webhook_url    text CHECK (webhook_url ~ '^https?://'),
    webhook_secret text CHECK (webhook_secret ~ '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$'),
    CHECK ((webhook_url IS NULL) = (webhook_secret IS NULL))
);

-- The demo's customer. No mail to example.com is ever delivered.
INSERT INTO contacts (user_id, email) VALUES (42, 'customer42@example.com');

-- What customers and operators are told, once per event. It is also the consumer's inbox: a message that comes again finds
-- its ID here and is dropped.
CREATE TABLE notifications (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text        NOT NULL UNIQUE, -- of the event; with .operators for what operators are told in addition
    order_id   uuid        NOT NULL,
    user_id    bigint      NOT NULL,
    audience   text        NOT NULL CHECK (audience IN ('customer', 'operators')),
    type       text        NOT NULL, -- of the event, for example ORDER_CONFIRMED
    text       text        NOT NULL CHECK (text <> ''),
    -- The IDs of later events about the same thing. Once one of them is known, this one is not sent any more.
    overtaken_by text[]    NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX notifications_of_order ON notifications (order_id, id);

-- What is to be sent. A row is written in the transaction of its notification and sent at least once: after a crash between
-- sending and recording, it is sent again with the same message_id.
CREATE TABLE outbox (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id bigint      NOT NULL REFERENCES notifications,
    channel         text        NOT NULL CHECK (channel IN ('log', 'mail', 'webhook')),
    address         text        NOT NULL, -- e-mail address or URL; empty for the log
    subject         text        NOT NULL,
    body            text        NOT NULL,
    html            text        NOT NULL, -- of a mail
    traceparent     text        NOT NULL, -- of the event's trace (W3C); empty without one
    created_at      timestamptz NOT NULL DEFAULT now(),

    attempts        integer     NOT NULL DEFAULT 0, -- begun
    next_at         timestamptz NOT NULL DEFAULT now(), -- no attempt begins earlier
    last_error      text        NOT NULL DEFAULT '',
    sent_at         timestamptz,
    given_up_at     timestamptz,
    UNIQUE (notification_id, channel, address),
    CHECK (sent_at IS NULL OR given_up_at IS NULL)
);

CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL AND given_up_at IS NULL;

-- +goose Down
DROP TABLE outbox, notifications, contacts;
