-- +goose Up

-- The orders of a product are read newest first, as all lists are. ordered_at is the order's created_at, copied so that
-- one index finds a page of them.
ALTER TABLE order_lines ADD COLUMN ordered_at timestamptz;
ALTER TABLE order_lines DISABLE TRIGGER lines_never_change;
UPDATE order_lines l SET ordered_at = o.created_at FROM orders o WHERE o.id = l.order_id;
ALTER TABLE order_lines ENABLE TRIGGER lines_never_change;
ALTER TABLE order_lines ALTER COLUMN ordered_at SET DEFAULT now(), ALTER COLUMN ordered_at SET NOT NULL;
CREATE INDEX order_lines_of_product ON order_lines (product_id, ordered_at, order_id);

-- +goose Down
ALTER TABLE order_lines DROP COLUMN ordered_at;
