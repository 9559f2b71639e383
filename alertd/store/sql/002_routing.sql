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
