-- +goose Up

-- Where users are told. Whoever is not listed, or has neither, is told by a line in the log. Operators write this table;
-- the service calls the URLs in it.
CREATE TABLE directory (
    user_id        bigint PRIMARY KEY,
    email          text CHECK (email LIKE '_%@_%'),
    webhook_url    text CHECK (webhook_url ~ '^https?://'),
    webhook_secret text CHECK (webhook_secret LIKE 'whsec_%'),
    CHECK ((webhook_url IS NULL) = (webhook_secret IS NULL))
);

-- The customer of the demo. Nobody receives mail at example.com.
INSERT INTO directory (user_id, email) VALUES (42, 'customer42@example.com');

ALTER TABLE notifications ADD COLUMN audience text NOT NULL DEFAULT 'customer' CHECK (audience IN ('customer', 'operators'));

-- What is to be sent. A row is written in the transaction of its notification and sent at least once: a crash between
-- sending and recording that leads to another attempt, with the same message_id.
CREATE TABLE outbox (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id bigint      NOT NULL REFERENCES notifications,
    channel         text        NOT NULL CHECK (channel IN ('log', 'mail', 'webhook')),
    address         text        NOT NULL, -- e-mail address or URL; empty for the log
    secret          text        NOT NULL DEFAULT '', -- that a webhook is signed with
    subject         text        NOT NULL,
    body            text        NOT NULL,
    html            text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),

    attempts        integer     NOT NULL DEFAULT 0, -- begun
    next_at         timestamptz NOT NULL DEFAULT now(), -- nobody tries before
    last_error      text        NOT NULL DEFAULT '',
    sent_at         timestamptz,
    given_up_at     timestamptz,
    UNIQUE (notification_id, channel, address),
    CHECK (sent_at IS NULL OR given_up_at IS NULL)
);

CREATE INDEX outbox_due ON outbox (next_at) WHERE sent_at IS NULL AND given_up_at IS NULL;

-- +goose Down
DROP TABLE outbox;
ALTER TABLE notifications DROP COLUMN audience;
DROP TABLE directory;
