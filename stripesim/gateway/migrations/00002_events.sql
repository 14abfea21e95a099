-- +goose Up
-- Events to be sent to the configured webhook, written in the transaction of what they report.
CREATE TABLE events (
    id         text PRIMARY KEY,
    type       text NOT NULL,
    body       bytea NOT NULL,       -- as it is signed and sent
    created_at timestamptz NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    due_at     timestamptz,          -- of the next attempt; null when it was delivered or given up
    delivered  boolean NOT NULL DEFAULT false
);
CREATE INDEX events_due ON events (due_at) WHERE due_at IS NOT NULL;

-- +goose Down
DROP TABLE events;
