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
