-- name: keys
-- Idempotency keys by buckets (alertd.store.sqlite.recent_keys): whatever an id looks like, a bucket has an even share of
-- all keys, so many are merged into a page at once. `uid` is 16 bytes: a UUID, or the digest of any other id.

CREATE TABLE key_by_bucket (
    bucket       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    uid          BLOB NOT NULL,
    event_id     INTEGER NOT NULL,
    PRIMARY KEY (bucket, workspace_id, uid)
) WITHOUT ROWID;

-- `stored_uid` and `key_bucket` are functions that the migration brings along.
INSERT OR IGNORE INTO key_by_bucket(bucket, workspace_id, uid, event_id)
SELECT key_bucket(workspace_id, stored_uid(uid)), workspace_id, stored_uid(uid), event_id FROM event_key ORDER BY 1, 2, 3;

-- Keys that had not been merged yet were in their events alone.
INSERT OR IGNORE INTO key_by_bucket(bucket, workspace_id, uid, event_id)
SELECT key_bucket(workspace_id, uid), workspace_id, uid, id FROM (
    SELECT id, workspace_id, stored_uid(json_extract(CAST(payload AS TEXT), '$.id')) AS uid FROM event
    WHERE made = 0 AND id > (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'keys_to'));

DROP TABLE event_key;
ALTER TABLE key_by_bucket RENAME TO event_key;
DELETE FROM meta WHERE key = 'keys_to';

-- Which keys a bucket cannot have: one bit for each of 16,384 kinds of them. A bucket without a row may have any. `oldest`
-- is the oldest event when keys of older ones were last deleted, `gone` how many went since the bits were made.
CREATE TABLE key_filter (
    bucket INTEGER PRIMARY KEY,
    oldest INTEGER NOT NULL,
    gone   INTEGER NOT NULL,
    bits   BLOB NOT NULL
);

-- Keys that may not be in event_key yet, in the order in which they came: of each the workspace (4 bytes), the uid and the
-- event's number (8 bytes, all of them big-endian). `hand` says how many buckets had been merged when they came.
CREATE TABLE key_log (
    id   INTEGER PRIMARY KEY,
    hand INTEGER NOT NULL,
    keys BLOB NOT NULL
);
