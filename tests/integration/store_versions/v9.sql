-- A store of version 9 as alertd made it; SQLite's dump with the header's marks.
BEGIN TRANSACTION;
CREATE TABLE acknowledgement (
    event_id INTEGER PRIMARY KEY,
    actor    TEXT NOT NULL,
    at       INTEGER NOT NULL
);
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
INSERT INTO "attempt" VALUES(1887436800000000001,1,1800000000000,1501,1,503,'try 1 failed',X'616E737765722031');
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
CREATE TABLE block (
    low          INTEGER PRIMARY KEY,
    high         INTEGER NOT NULL,
    last_posting INTEGER NOT NULL
);
CREATE TABLE change (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE TABLE cooldown (
    subscription_id INTEGER NOT NULL,
    project         TEXT NOT NULL,
    environment     TEXT NOT NULL,
    key             TEXT NOT NULL,
    until_ms        INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, project, environment, key)
) WITHOUT ROWID;
INSERT INTO "cooldown" VALUES(7,'','','k',1800000000009);
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
INSERT INTO "delivery" VALUES(1887436800000000001,1887436800000000000,3,7,5,1,2,1800000001000,NULL,NULL,1800000000000,1502,1,503,'try 2 failed',X'616E737765722032');
INSERT INTO "delivery" VALUES(1887436800000000003,1887436800000000002,3,7,5,2,1,NULL,NULL,NULL,1800000000000,1501,0,200,NULL,X'616E737765722031');
CREATE TABLE destination_state (
    destination_id  INTEGER PRIMARY KEY,
    disabled_reason TEXT NOT NULL,
    disabled_at     INTEGER,
    paused_until    INTEGER
);
CREATE TABLE digest (
    id             INTEGER PRIMARY KEY,
    destination_id INTEGER NOT NULL,
    alerts         INTEGER NOT NULL,
    body           BLOB NOT NULL
);
CREATE TABLE digested (
    delivery_id INTEGER PRIMARY KEY,
    digest_id   INTEGER NOT NULL
);
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
INSERT INTO "event" VALUES(1887436800000000000,1,'run:failed',1,0,1,X'7B226964223A2261222C2274797065223A2272756E3A6661696C6564227D',X'5B5B372C352C305D5D');
INSERT INTO "event" VALUES(1887436800000000002,1,'run:failed',1,1,1,X'7B226964223A2230316133313835632D353030302D373030302D383061392D356237656564353162666434222C2274797065223A2272756E3A6661696C6564227D',X'5B5B372C352C305D5D');
CREATE TABLE "event_key" (
    bucket       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    uid          BLOB NOT NULL,
    event_id     INTEGER NOT NULL,
    PRIMARY KEY (bucket, workspace_id, uid)
) WITHOUT ROWID;
CREATE TABLE former_issue (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    number       INTEGER NOT NULL,
    issue_id     INTEGER NOT NULL,
    body         BLOB NOT NULL
);
CREATE TABLE incident (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    state        INTEGER NOT NULL,
    body         BLOB NOT NULL
);
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
CREATE TABLE issue_event (
    event_id INTEGER PRIMARY KEY,
    issue_id INTEGER NOT NULL,
    body     BLOB
, key TEXT NOT NULL DEFAULT '');
CREATE TABLE issue_key (
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    key          TEXT NOT NULL,
    issue_id     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, project, key)
) WITHOUT ROWID;
CREATE TABLE key_filter (
    bucket INTEGER PRIMARY KEY,
    oldest INTEGER NOT NULL,
    gone   INTEGER NOT NULL,
    bits   BLOB NOT NULL
);
CREATE TABLE key_log (
    id   INTEGER PRIMARY KEY,
    hand INTEGER NOT NULL,
    keys BLOB NOT NULL
);
INSERT INTO "key_log" VALUES(1,0,X'0000000127C35E6E9373877F29E562464E46497E1A3185C500000000');
CREATE TABLE learnt_type (
    workspace_id INTEGER NOT NULL,
    type         TEXT NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, type)
) WITHOUT ROWID;
CREATE TABLE ledger (
    workspace_id INTEGER NOT NULL,
    project      TEXT NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (workspace_id, project)
) WITHOUT ROWID;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('closed_cleanly','1');
INSERT INTO "meta" VALUES('kafka_instance_id','sample');
INSERT INTO "meta" VALUES('salt','11641074750701524');
CREATE TABLE name (
    id        INTEGER PRIMARY KEY,
    kind      TEXT NOT NULL,
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,
    UNIQUE (kind, workspace, name)
);
INSERT INTO "name" VALUES(1,'workspace','default','default');
INSERT INTO "name" VALUES(2,'workspace','other','other');
INSERT INTO "name" VALUES(3,'destination','default','d0');
INSERT INTO "name" VALUES(4,'destination','default','d1');
INSERT INTO "name" VALUES(5,'destination','default','d2');
INSERT INTO "name" VALUES(6,'destination','other','d0');
INSERT INTO "name" VALUES(7,'subscription','default','s0');
INSERT INTO "name" VALUES(8,'subscription','default','s1');
CREATE TABLE occurrence (
    rule_id     INTEGER NOT NULL,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    key         TEXT NOT NULL,
    times       INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    PRIMARY KEY (rule_id, project, environment, key)
) WITHOUT ROWID;
CREATE TABLE outcome (
    first    INTEGER PRIMARY KEY,
    outcomes INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    entries  BLOB NOT NULL
);
CREATE TABLE outline (
    first  INTEGER PRIMARY KEY,
    events INTEGER NOT NULL,
    shapes BLOB NOT NULL
);
CREATE TABLE position (
    topic       TEXT NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
INSERT INTO "position" VALUES('events',0,7);
CREATE TABLE posting (
    id      INTEGER PRIMARY KEY,
    block   INTEGER NOT NULL,
    shape   INTEGER NOT NULL,
    events  INTEGER NOT NULL,
    numbers BLOB NOT NULL
);
CREATE TABLE rejected (
    id            INTEGER PRIMARY KEY,
    workspace     TEXT NOT NULL,
    topic         TEXT NOT NULL,
    partition     INTEGER NOT NULL,
    record_offset INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    bytes         BLOB NOT NULL,
    size          INTEGER NOT NULL
, headers TEXT NOT NULL DEFAULT '');
CREATE TABLE remembered (
    destination_id INTEGER NOT NULL,
    key            TEXT NOT NULL,
    value          TEXT NOT NULL,
    used_at        INTEGER NOT NULL,
    PRIMARY KEY (destination_id, key)
) WITHOUT ROWID;
CREATE TABLE repeat (
    delivery_id INTEGER PRIMARY KEY,
    actor       TEXT NOT NULL,
    replay_id   INTEGER
);
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
CREATE TABLE replay_part (
    replay_id INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    origins   BLOB NOT NULL,
    PRIMARY KEY (replay_id, part)
) WITHOUT ROWID;
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
CREATE TABLE ruleset (
    revision INTEGER PRIMARY KEY,
    base     INTEGER,
    document BLOB NOT NULL
);
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
CREATE TABLE shared (
    delivery_id   INTEGER PRIMARY KEY,
    subscriptions TEXT NOT NULL
);
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
CREATE TABLE token (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    role        INTEGER NOT NULL,
    workspace   TEXT,
    digest      BLOB NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL,
    provisioned INTEGER NOT NULL
, expires_at INTEGER, last_used_at INTEGER, old_digest BLOB, old_until INTEGER);
INSERT INTO "token" VALUES(1,'ci',0,'default',X'3131313131313131313131313131313131313131313131313131313131313131',1800000000000,0,NULL,NULL,NULL,NULL);
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
CREATE INDEX delivery_due ON delivery (destination_id, next_at, id, state) WHERE state < 2;
CREATE INDEX delivery_replay ON delivery (event_id, replay_of) WHERE replay_of IS NOT NULL;
CREATE UNIQUE INDEX token_name ON token (coalesce(workspace, ''), name);
CREATE INDEX audit_workspace ON audit (workspace, id);
CREATE INDEX posting_shape ON posting (shape, block, events);
CREATE INDEX delivery_failed ON delivery (state, destination_id) WHERE state > 2;
CREATE INDEX delivery_again ON delivery (destination_id) WHERE replay_of IS NOT NULL;
CREATE INDEX remembered_use ON remembered (destination_id, used_at);
CREATE INDEX remembered_age ON remembered (used_at);
CREATE UNIQUE INDEX issue_short ON issue (workspace_id, project, number);
CREATE INDEX issue_newest ON issue (workspace_id, id);
CREATE INDEX incident_newest ON incident (workspace_id, id);
CREATE INDEX issue_event_issue ON issue_event (issue_id, event_id);
CREATE INDEX change_project ON change (workspace_id, project, at);
CREATE INDEX change_at ON change (at);
CREATE INDEX former_issue_short ON former_issue (workspace_id, project, number);
CREATE INDEX former_issue_into ON former_issue (issue_id);
CREATE INDEX incident_open ON incident (id) WHERE state < 2;
CREATE INDEX digest_destination ON digest (destination_id, id);
CREATE INDEX digested_in ON digested (digest_id, delivery_id);
CREATE INDEX replay_running ON replay (state) WHERE state = 0;
COMMIT;
PRAGMA application_id = 1634497124;
PRAGMA user_version = 9;
