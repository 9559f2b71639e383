-- name: following
-- What is needed to follow deliveries, and to send many of them again.

-- What became of deliveries, in the order in which it was stored: a row for each write. `first` is the place of its first
-- entry, counted from 1 without a gap; `entries` is JSON: `[[delivery, …], [number of the attempt, or 0, …], [state after it, …]]`.
CREATE TABLE outcome (
    first    INTEGER PRIMARY KEY,
    outcomes INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    entries  BLOB NOT NULL
);

-- Who asked for a delivery that repeats another one, and as part of which replay (NULL: of this one alone).
CREATE TABLE repeat (
    delivery_id INTEGER PRIMARY KEY,
    actor       TEXT NOT NULL,
    replay_id   INTEGER
);

-- Replays of many deliveries (alertd.store.replaying). `request` is JSON of what was asked for; `looked` says how many of
-- the origins were dealt with, `made` how many were sent again.
CREATE TABLE replay (
    id             INTEGER PRIMARY KEY,
    workspace      TEXT NOT NULL,
    actor          TEXT NOT NULL,
    request        BLOB NOT NULL,
    destination_id INTEGER,
    since          INTEGER NOT NULL,
    rate           REAL NOT NULL,
    state          INTEGER NOT NULL,
    total          INTEGER NOT NULL,
    looked         INTEGER NOT NULL,
    made           INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    ended_at       INTEGER
);
CREATE INDEX replay_running ON replay (state) WHERE state = 0;

-- What a replay that goes on is to send again, oldest first, in parts: JSON of the origins' numbers.
CREATE TABLE replay_part (
    replay_id INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    origins   BLOB NOT NULL,
    PRIMARY KEY (replay_id, part)
) WITHOUT ROWID;
