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
