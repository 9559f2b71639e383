-- name: routing
-- What operators define over the API, who changed what, and what the engine remembers between events.

-- Resources made over the API. `document` is the JSON of the resource's model; `version` counts its changes.
CREATE TABLE resource (
    kind       TEXT NOT NULL,
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    document   BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, workspace, name)
) WITHOUT ROWID;

-- Who changed what, and when (the id tells); `before` and `after` are documents with their secrets redacted.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    workspace TEXT NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    name      TEXT NOT NULL,
    before    BLOB,
    after     BLOB
);
CREATE INDEX audit_workspace ON audit (workspace, id);

-- Tokens end, are rotated (the secret before works on for a while), and tell when they were last used.
ALTER TABLE token ADD COLUMN expires_at INTEGER;
ALTER TABLE token ADD COLUMN last_used_at INTEGER;
ALTER TABLE token ADD COLUMN old_digest BLOB;
ALTER TABLE token ADD COLUMN old_until INTEGER;

-- How often something has occurred for a ladder of a subscription or for a derived type, and until when the count goes on.
CREATE TABLE occurrence (
    rule_id     INTEGER NOT NULL,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    times       INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    PRIMARY KEY (rule_id, project, environment, key)
) WITHOUT ROWID;

-- The values that metric alerts follow (alertd.engine.state.Series).
CREATE TABLE series (
    alert_id    INTEGER NOT NULL,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       REAL NOT NULL,
    seen_ms     INTEGER NOT NULL,
    time_ms     INTEGER NOT NULL,
    since_ms    INTEGER,
    told_ms     INTEGER,
    PRIMARY KEY (alert_id, project, environment, key)
) WITHOUT ROWID;

-- What is known of a subscription; a fold over the history, brought up to date every second (meta: facts_through).
CREATE TABLE subscription_fact (
    subscription_id INTEGER PRIMARY KEY,
    fired           INTEGER NOT NULL,
    sent            INTEGER NOT NULL,
    delivered       INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    last_fired_at   INTEGER,
    last_success_at INTEGER,
    last_error      TEXT,
    last_error_at   INTEGER
);

-- Types that events have brought; a fold over the history too.
CREATE TABLE learnt_type (
    workspace_id INTEGER NOT NULL,
    type         TEXT NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, type)
) WITHOUT ROWID;

-- The rulesets that decided about what is kept: compressed documents (alertd.engine.document). With a `base` one is only
-- what differs from that revision's.
CREATE TABLE ruleset (
    revision INTEGER PRIMARY KEY,
    base     INTEGER,
    document BLOB NOT NULL
);

-- The history's index. Rows of event and delivery carry none of it: a commit adds one outline, and blocks are made of
-- outlines afterwards, so that each page of an index is written once and not with every event.

-- What events have in common for those who filter (alertd.store.sqlite.shapes). NULL means anything; `subscriptions`,
-- `channels` and `destinations` are numbers between commas: who was told, by what.
CREATE TABLE shape (
    id            INTEGER PRIMARY KEY,
    workspace_id  INTEGER NOT NULL,
    type          TEXT,
    project       TEXT,
    environment   TEXT,
    severity      TEXT,
    matched       INTEGER,
    subscriptions TEXT,
    channels      TEXT,
    destinations  TEXT
);

-- The shapes of the newest events, a row for each commit: `[[shape of each, …], [its number less first, …]]`.
CREATE TABLE outline (
    first  INTEGER PRIMARY KEY,
    events INTEGER NOT NULL,
    shapes BLOB NOT NULL
);

-- Several thousand events that followed each other: the lowest and the highest number, and the last of its postings.
CREATE TABLE block (
    low          INTEGER PRIMARY KEY,
    high         INTEGER NOT NULL,
    last_posting INTEGER NOT NULL
);

-- The events of one shape in one block: JSON of their distances, the first one from the block's lowest number.
CREATE TABLE posting (
    id      INTEGER PRIMARY KEY,
    block   INTEGER NOT NULL,
    shape   INTEGER NOT NULL,
    events  INTEGER NOT NULL,
    numbers BLOB NOT NULL
);
CREATE INDEX posting_shape ON posting (shape, block, events);

-- Dead and cancelled deliveries by destination too; replays, which stand apart from their events' own deliveries.
DROP INDEX delivery_failed;
CREATE INDEX delivery_failed ON delivery (state, destination_id) WHERE state > 2;
CREATE INDEX delivery_again ON delivery (destination_id) WHERE replay_of IS NOT NULL;

-- Who took note of an alert first, and when.
CREATE TABLE acknowledgement (
    event_id INTEGER PRIMARY KEY,
    actor    TEXT NOT NULL,
    at       INTEGER NOT NULL
);

-- What destinations remember of what their providers said (which message to edit): short texts, and when they were used.
CREATE TABLE remembered (
    destination_id INTEGER NOT NULL,
    key            TEXT NOT NULL,
    value          TEXT NOT NULL,
    used_at        INTEGER NOT NULL,
    PRIMARY KEY (destination_id, key)
) WITHOUT ROWID;
CREATE INDEX remembered_use ON remembered (destination_id, used_at);
CREATE INDEX remembered_age ON remembered (used_at);

-- A record that could not be read may be tried again: its headers, as JSON (alertd.store.base.RejectedRecord).
ALTER TABLE rejected ADD COLUMN headers TEXT NOT NULL DEFAULT '';

-- Up to which event all keys are in event_key; the keys of later ones may still be in memory, and in the events alone.
INSERT INTO meta(key, value) SELECT 'keys_to', coalesce(max(id), 0) FROM event;
