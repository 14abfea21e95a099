-- +goose Up

-- What each consumer has already acted on. A row is written in the transaction of the act, so a message that comes
-- again finds it and is dropped.
CREATE TABLE inbox (
    consumer    text        NOT NULL,
    message_id  text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

-- What customers were told.
CREATE TABLE notifications (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text        NOT NULL UNIQUE, -- of the event that caused it; stable, so that a delivery can be recognised
    order_id   uuid        NOT NULL,
    user_id    bigint      NOT NULL,
    type       text        NOT NULL, -- of the event, as in ORDER_CONFIRMED
    text       text        NOT NULL CHECK (text <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX notifications_of_order ON notifications (order_id, id);

-- +goose Down
DROP TABLE notifications;
DROP TABLE inbox;
