-- name: digests
-- Deliveries that were too many for a destination's queue, and what they came together in.

-- A digest is a delivery (of the event of its oldest alert) whose `replay_of` is its own id; what repeats one has a row as
-- well. `alerts` counts what it stands for, `body` lists the first of them (alertd.model.digest).
CREATE TABLE digest (
    id             INTEGER PRIMARY KEY,
    destination_id INTEGER NOT NULL,
    alerts         INTEGER NOT NULL,
    body           BLOB NOT NULL
);
CREATE INDEX digest_destination ON digest (destination_id, id);

-- Which digest a cancelled delivery is in.
CREATE TABLE digested (
    delivery_id INTEGER PRIMARY KEY,
    digest_id   INTEGER NOT NULL
);
CREATE INDEX digested_in ON digested (digest_id, delivery_id);
