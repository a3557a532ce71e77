-- dashagg keeps its own state in these tables, next to the summaries. docs/ledger.md tells a DBA more about them.
--
-- One definition for every engine: `create` only adds what its dialect wants (on MySQL and MariaDB engine and character
-- set, on PostgreSQL text for VARCHAR). Moments are RFC 3339 text in UTC, by the clock of the server. A change here is a
-- new version in schema.rs, with the steps in upgrade.rs that bring older ledgers to it. No comment has a semicolon or an
-- apostrophe, so that every client passes them on.

CREATE TABLE IF NOT EXISTS dashagg_ledger (
    -- Which form these tables have: one row for each version they have been brought to. The greatest one is in force.
    version BIGINT NOT NULL PRIMARY KEY,
    -- The dashagg that did it: this one or a later one can go on with it.
    program VARCHAR(32) NOT NULL,
    -- When.
    made_at VARCHAR(32) NOT NULL
);

CREATE TABLE IF NOT EXISTS dashagg_source (
    -- How each source of a set is tracked, and up to where its changes are published.
    set_name VARCHAR(128) NOT NULL,
    -- Name in the manifest.
    source VARCHAR(128) NOT NULL,
    -- triggers, watermark, window, fingerprint or none.
    method VARCHAR(16) DEFAULT 'triggers' NOT NULL,
    -- With triggers: what the names of its triggers and tables of notes have in common. Else the settings of the method.
    track_id VARCHAR(64) NOT NULL,
    -- Hash of what would differ if the triggers had been off for a while or the table replaced. NULL: not published yet.
    witness VARCHAR(64),
    -- With watermark: the newest value that is published.
    watermark VARCHAR(255),
    PRIMARY KEY (set_name, source)
);

CREATE TABLE IF NOT EXISTS dashagg_print (
    -- With fingerprint: one row for each partition of a source as of its last publish.
    set_name VARCHAR(128) NOT NULL,
    source VARCHAR(128) NOT NULL,
    -- Values of the partition columns, as JSON.
    part VARCHAR(255) NOT NULL,
    -- Row count and hash of its rows.
    print VARCHAR(255) NOT NULL,
    PRIMARY KEY (set_name, source, part)
);

CREATE TABLE IF NOT EXISTS dashagg_set (
    -- The sets that create has registered here.
    set_name VARCHAR(128) NOT NULL PRIMARY KEY,
    -- Grows with every publish. A run publishes only if it is what it was when the run read it.
    generation BIGINT NOT NULL,
    -- When a run last found nothing to do.
    checked_at VARCHAR(32),
    -- What demo has made of the sources, NULL for sources of an application.
    origin VARCHAR(32)
);

CREATE TABLE IF NOT EXISTS dashagg_script (
    -- Versioned scripts that create has applied, or begun to.
    set_name VARCHAR(128) NOT NULL,
    -- Number of the script.
    version BIGINT NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    -- SHA-256 of the file: an applied script must not change.
    checksum VARCHAR(64) NOT NULL,
    -- applied, or applying if it stopped half-way.
    state VARCHAR(16) NOT NULL,
    -- Statements that have run.
    statements_done BIGINT NOT NULL,
    -- SHA-256 of those.
    done_checksum VARCHAR(64) NOT NULL,
    applied_at VARCHAR(32) NOT NULL,
    -- User and host that ran create.
    applied_by VARCHAR(255) NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (set_name, version)
);

CREATE TABLE IF NOT EXISTS dashagg_summary (
    -- One row for each summary, from before its first refresh. Live views read it too.
    set_name VARCHAR(128) NOT NULL,
    -- Name in the manifest.
    summary VARCHAR(128) NOT NULL,
    -- The table or materialized view that holds it.
    table_name VARCHAR(255) NOT NULL,
    -- 1 for one that reads raw tables only, else one more than the greatest tier it reads.
    tier BIGINT NOT NULL,
    -- SHA-256 of the SELECT that its rows were computed by. Empty before the first publish.
    select_checksum VARCHAR(64) NOT NULL,
    -- Rows as of the last publish.
    row_count BIGINT,
    -- Size on disk when it was last measured.
    bytes BIGINT,
    -- Last publish of the whole of it. NULL: never built.
    published_at VARCHAR(32),
    -- The run that published last, with its mode, its seconds and the rows that it wrote.
    run_id VARCHAR(64),
    mode VARCHAR(16),
    seconds DOUBLE PRECISION,
    inserted BIGINT,
    updated BIGINT,
    deleted BIGINT,
    -- Start of the last run that left it current.
    served_at VARCHAR(32),
    -- How its last run ended: ok, failed or interrupted.
    status VARCHAR(16),
    -- What went wrong then.
    error VARCHAR(2000),
    -- Materialized views: claims that found changes of what they read, and how many of them are published.
    changes BIGINT DEFAULT 0 NOT NULL,
    changes_done BIGINT DEFAULT 0 NOT NULL,
    -- Materialized views: where the clock stood in the last publish, as the server writes it.
    as_of VARCHAR(64),
    -- What depends on the clock: start of the last run that computed it, whether or not anything differed.
    computed_at VARCHAR(32),
    -- Hash of the SELECT with its recompute_by, once rows of the sources were laid next to what that claims.
    recompute_checked VARCHAR(64),
    PRIMARY KEY (set_name, summary)
);

CREATE TABLE IF NOT EXISTS dashagg_run (
    -- Runs that published or failed, for 90 days. One that finds nothing to do leaves none.
    run_id VARCHAR(64) NOT NULL PRIMARY KEY,
    set_name VARCHAR(128) NOT NULL,
    -- complete, incremental or none.
    mode VARCHAR(16) NOT NULL,
    -- ok, failed or interrupted.
    status VARCHAR(16) NOT NULL,
    started_at VARCHAR(32) NOT NULL,
    finished_at VARCHAR(32) NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    -- Partitions computed anew.
    partitions BIGINT NOT NULL,
    -- Rows written over all summaries.
    inserted BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    -- Passing errors of the server that it survived.
    retries BIGINT NOT NULL,
    error VARCHAR(2000),
    -- Where it ran.
    host VARCHAR(255) NOT NULL,
    pid BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS dashagg_holder (
    -- Who holds the lock of a set just now. The lock itself is the one of the server, or of a file next to SQLite.
    set_name VARCHAR(128) NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    pid BIGINT NOT NULL,
    -- What tells this process from every other one of that number.
    boot_id VARCHAR(64) NOT NULL,
    namespaces VARCHAR(128) NOT NULL,
    process_start VARCHAR(32) NOT NULL,
    -- The session of the server that has the lock.
    session VARCHAR(128) NOT NULL,
    since VARCHAR(32) NOT NULL
);
