-- name: initial
-- The first layout. Every id of an event, a delivery or a rejected record is a time-ordered number (alertd.model.ids):
-- rows are appended, retention is a range, and no column says when a row was made.

-- What was accepted. `made` is 1 when the event brought no id of its own: then its id is made from `id` and the store's
-- salt, and it has no row in event_key. `verdicts` is alertd.model.verdict's stored form, NULL when there are none.
CREATE TABLE event (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    type         TEXT NOT NULL,
    matched      INTEGER NOT NULL,
    made         INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    payload      BLOB NOT NULL,
    verdicts     BLOB
);

-- The idempotency keys that users brought. `uid` is the id's text; a canonical UUID is kept as its 16 bytes.
CREATE TABLE event_key (
    workspace_id INTEGER NOT NULL,
    uid          BLOB NOT NULL,
    event_id     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, uid)
) WITHOUT ROWID;

-- One event to one destination, with its last attempt folded in. The ids follow the event's own, so that an event's
-- deliveries are a range; replays stand elsewhere and are found by their own index. `outcome` is NULL when nothing was
-- attempted, or when a cancel or an expiry followed the last attempt (which then is a row of `attempt`).
CREATE TABLE delivery (
    id              INTEGER PRIMARY KEY,
    event_id        INTEGER NOT NULL,
    destination_id  INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    channel_id      INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    next_at         INTEGER,
    trigger         TEXT,
    replay_of       INTEGER,
    started_at      INTEGER,
    duration        INTEGER,
    outcome         INTEGER,
    status          INTEGER,
    detail          TEXT,
    answer          BLOB
);

-- The outbox: what is pending or retrying, by destination and due time.
CREATE INDEX delivery_due ON delivery (destination_id, next_at, id, state) WHERE state < 2;
-- Dead and cancelled deliveries, which operators look for and which are rare.
CREATE INDEX delivery_failed ON delivery (state) WHERE state > 2;
-- Replays of an event's deliveries.
CREATE INDEX delivery_replay ON delivery (event_id, replay_of) WHERE replay_of IS NOT NULL;

-- Only attempts that another one, a cancel or an expiry followed.
CREATE TABLE attempt (
    delivery_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration    INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,
    status      INTEGER,
    detail      TEXT,
    answer      BLOB,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

-- Kafka: the offset of the next record to read.
CREATE TABLE position (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- Until when a (subscription, project, environment, key) rests.
CREATE TABLE cooldown (
    subscription_id INTEGER NOT NULL,
    project         TEXT NOT NULL,
    environment     TEXT NOT NULL,
    key             TEXT NOT NULL,
    until_ms        INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, project, environment, key)
) WITHOUT ROWID;

-- Kafka records that could not be read.
CREATE TABLE rejected (
    id            INTEGER PRIMARY KEY,
    workspace     TEXT NOT NULL,
    topic         TEXT NOT NULL,
    partition     INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    bytes         BLOB NOT NULL,
    size          INTEGER NOT NULL
);

-- Tokens, by the digest of their secret; workspace NULL means all of them.
CREATE TABLE token (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    role        INTEGER NOT NULL,
    workspace   TEXT,
    digest      BLOB NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    provisioned INTEGER NOT NULL
);
CREATE UNIQUE INDEX token_name ON token (coalesce(workspace, ''), name);

-- The lasting numbers of named resources; never deleted, so never given again.
CREATE TABLE name (
    id        INTEGER PRIMARY KEY,
    kind      TEXT NOT NULL,
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,
    UNIQUE (kind, workspace, name)
);

-- What outlives a restart about a destination.
CREATE TABLE destination_state (
    destination_id  INTEGER PRIMARY KEY,
    disabled_reason TEXT NOT NULL,
    disabled_at     INTEGER,
    paused_until    INTEGER
);

-- Small facts: the salt, the clean mark, what services keep.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
