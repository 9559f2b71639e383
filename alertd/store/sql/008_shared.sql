-- name: shared
-- Deliveries that serve several subscriptions at once: those behind the first one, which stands in the delivery's own row.

-- `subscriptions` is JSON of their numbers.
CREATE TABLE shared (
    delivery_id   INTEGER PRIMARY KEY,
    subscriptions TEXT NOT NULL
);
