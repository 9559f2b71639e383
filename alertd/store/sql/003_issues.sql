-- name: issues
-- Errors that are the same problem, and what became of them. `body` is what the engine reads (alertd.engine.issues.stored);
-- the other columns are searched.

CREATE TABLE issue (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    number       INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    level        TEXT NOT NULL,
    assignee     TEXT NOT NULL,
    last_seen    INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE UNIQUE INDEX issue_short ON issue (workspace_id, project, number);
CREATE INDEX issue_newest ON issue (workspace_id, id);

-- Which issue a grouping key belongs to; several after a merge.
CREATE TABLE issue_key (
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    key          TEXT NOT NULL,
    issue_id     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, project, key)
) WITHOUT ROWID;

-- What a project remembers about its issues as a whole.
CREATE TABLE ledger (
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (workspace_id, project)
) WITHOUT ROWID;

-- What became of an issue; `id` is the number of the event that did it, or one of its own for what people did.
CREATE TABLE transition (
    id       INTEGER NOT NULL,
    issue_id INTEGER NOT NULL,
    change   INTEGER NOT NULL,
    before   INTEGER,
    after    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    why      TEXT NOT NULL,
    by       TEXT NOT NULL,
    PRIMARY KEY (issue_id, id)
) WITHOUT ROWID;

CREATE TABLE incident (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    state        INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE INDEX incident_newest ON incident (workspace_id, id);

-- The events of issues that are kept as their sample, or that went out; `body` is the issue as it then was, for alerts.
CREATE TABLE issue_event (
    event_id INTEGER PRIMARY KEY,
    issue_id INTEGER NOT NULL,
    body     BLOB
);
CREATE INDEX issue_event_issue ON issue_event (issue_id, event_id);
