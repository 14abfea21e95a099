-- +goose Up

-- What is recorded outside of a transition (a refund by hand, a reconciliation) names itself, so that recording it again
-- adds nothing.
ALTER TABLE order_events ADD COLUMN key text CHECK (key <> '');
CREATE UNIQUE INDEX order_events_by_key ON order_events (order_id, key) WHERE key IS NOT NULL;

-- +goose Down
ALTER TABLE order_events DROP COLUMN key;
