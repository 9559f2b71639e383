-- name: changes
-- What went into a project's code or onto its machines, and the issues that were merged into others. `body` is what the
-- engine reads (alertd.model.change, alertd.engine.issues.stored); the other columns are searched.

-- `id` is the number of the event that told of it; `at` is when it happened, in milliseconds.
CREATE TABLE change (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE INDEX change_project ON change (workspace_id, project, at);
CREATE INDEX change_at ON change (at);

-- An issue that was merged into another, as it then was: its names go on leading somewhere, and it can be split off again.
CREATE TABLE former_issue (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    number       INTEGER NOT NULL,
    issue_id     INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE INDEX former_issue_short ON former_issue (workspace_id, project, number);
CREATE INDEX former_issue_into ON former_issue (issue_id);

-- The grouping key of an event that is kept, so that it goes with its issue when one is split.
ALTER TABLE issue_event ADD COLUMN key TEXT NOT NULL DEFAULT '';

CREATE INDEX incident_open ON incident (id) WHERE state < 2;
