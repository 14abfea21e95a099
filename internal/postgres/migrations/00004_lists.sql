-- +goose Up

-- Every list of orders, whatever it is filtered by, is a piece of an index: one whose columns are the filters, then the
-- status, then the place in the list. A list of every status is put together of one piece per status.
--
-- A line has its order's user and status for that, as it has the time. Its status is the only thing of a line that changes,
-- and nothing changes it but the order's own.
ALTER TABLE order_lines ADD COLUMN user_id bigint, ADD COLUMN status text;
DROP TRIGGER lines_never_change ON order_lines;
UPDATE order_lines l SET user_id = o.user_id, status = o.status FROM orders o WHERE o.id = l.order_id;
ALTER TABLE order_lines ALTER COLUMN user_id SET NOT NULL, ALTER COLUMN status SET NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION carry_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE order_lines SET status = NEW.status WHERE order_id = NEW.id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER carry_status AFTER UPDATE ON orders FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION carry_status();

-- Inside of the trigger above, the depth is 1.
CREATE TRIGGER lines_never_change BEFORE UPDATE ON order_lines FOR EACH ROW
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();

-- Workers of before, which may still have sagas to end, say neither user nor status.
-- +goose StatementBegin
CREATE FUNCTION complete_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT user_id, status INTO NEW.user_id, NEW.status FROM orders WHERE id = NEW.order_id;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER complete_line BEFORE INSERT ON order_lines FOR EACH ROW
    WHEN (NEW.user_id IS NULL OR NEW.status IS NULL) EXECUTE FUNCTION complete_line();

CREATE INDEX orders_of_user_by_status ON orders (user_id, status, created_at, id);
CREATE INDEX lines_of_product_by_status ON order_lines (product_id, status, ordered_at, order_id);
CREATE INDEX lines_of_user_and_product_by_status ON order_lines (user_id, product_id, status, ordered_at, order_id);
DROP INDEX orders_by_time, orders_of_user, order_lines_of_product;

-- +goose Down
CREATE INDEX orders_by_time ON orders (created_at, id);
CREATE INDEX orders_of_user ON orders (user_id, created_at, id);
CREATE INDEX order_lines_of_product ON order_lines (product_id, ordered_at, order_id);
DROP INDEX orders_of_user_by_status;
DROP TRIGGER carry_status ON orders;
DROP TRIGGER lines_never_change ON order_lines;
DROP TRIGGER complete_line ON order_lines;
DROP FUNCTION carry_status(), complete_line();
ALTER TABLE order_lines DROP COLUMN user_id, DROP COLUMN status; -- and with them the indexes of lines that hold them
CREATE TRIGGER lines_never_change BEFORE UPDATE ON order_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
