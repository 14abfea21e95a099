-- +goose Up

-- What is recorded outside of a transition (a refund by hand, a reconciliation) names itself, so that recording it again
-- adds nothing.
ALTER TABLE order_timeline ADD COLUMN key text CHECK (key <> '');
CREATE UNIQUE INDEX order_timeline_by_key ON order_timeline (order_id, key) WHERE key IS NOT NULL;

-- +goose Down
ALTER TABLE order_timeline DROP COLUMN key;
