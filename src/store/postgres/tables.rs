//! The tables, as lists of steps. A step that was released is never changed: add another, one for a version. It only adds, since
//! nodes of the version before work with the same tables until they are replaced: a test reads each step for that.
//!
//! `tenant` leads every key, so that one database may hold several accounts some day; today it is 1. Texts are compared byte
//! by byte, as everywhere in this project. Long ones are found by a hash or by how they begin: no index holds them whole.

use super::{counted, names};

/// The steps, oldest first.
pub(super) fn steps() -> Vec<String> {
    let triggers: String = counted::ALL.iter().map(counted::Counted::sql).collect();
    let unsampled: String = UNSAMPLED
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |column| unsampled(table, column)))
        .collect();
    let tables = [JOURNAL, DOCUMENTS, RECORDS, DELIVERIES, TRAIL, OUTGOING, PRIVACY];
    vec![
        tables.concat() + triggers.as_str() + unsampled.as_str() + UNSAMPLED_INDEXES,
        NODES.to_owned(),
        names::STEP.to_owned(),
    ]
}

/// Columns of which the server samples nothing: what it samples it keeps beside the tables, where it outlives their rows.
const UNSAMPLED: [(&str, &[&str]); 14] = [
    ("people", &["key", "body"]),
    ("timelines", &["anonymous_id", "body"]),
    ("contacts", &["email", "body"]),
    ("contributions", &["email", "member", "message_id"]),
    ("deals", &["key", "found_by", "body"]),
    ("companies", &["key", "body"]),
    ("happenings", &["email", "person", "target", "body"]),
    ("crm_ids", &["key"]),
    ("deliveries", &["subject", "email", "reason", "body"]),
    ("events", &["message_id", "name", "person", "email", "page", "body"]),
    ("seen", &["message_id"]),
    ("outputs", &["subject", "person", "error", "body"]),
    ("forget_orders", &["email", "body"]),
    ("suppressed", &["email"]),
];

fn unsampled(table: &str, column: &str) -> String {
    format!("ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0;\n")
}

/// The same of what indexes compute.
const UNSAMPLED_INDEXES: &str = "
    ALTER INDEX deals_by_person ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX deals_held ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_by_email ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_by_person ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_by_target ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_open_by_email ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_open_by_person ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX happenings_open_by_target ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX events_by_person ALTER COLUMN 2 SET STATISTICS 0;
    ALTER INDEX events_by_name ALTER COLUMN 2 SET STATISTICS 0;
";

/// A statement as the engine takes it: our short names of types, and the tenant of each table.
pub(super) fn sql(step: &str) -> String {
    step.replace("INTEGER", "bigint")
        .replace("TEXT", "text COLLATE \"C\"")
        .replace("BLOB", "bytea")
        .replace("TENANT", "tenant smallint NOT NULL DEFAULT 1")
}

/// The turn with the lease and how far the journal took effect; the journal; what is counted.
const JOURNAL: &str = "
    CREATE TABLE turns (
        TENANT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        holder TEXT NOT NULL,
        expires_at timestamptz NOT NULL,
        position INTEGER NOT NULL,
        old_position INTEGER NOT NULL,
        events INTEGER NOT NULL,
        last_plan INTEGER NOT NULL,
        confirmed INTEGER NOT NULL
    ) WITH (fillfactor = 50);
    INSERT INTO turns (epoch, holder, expires_at, position, old_position, events, last_plan, confirmed)
        VALUES (0, '', '-infinity', 0, 0, 0, 0, 0);
    CREATE TABLE heads (
        TENANT PRIMARY KEY,
        last INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        old_bytes INTEGER NOT NULL
    ) WITH (fillfactor = 50);
    INSERT INTO heads (last, bytes, old_bytes) VALUES (0, 0, 0);
    CREATE TABLE groups (
        TENANT,
        stream smallint NOT NULL,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        length INTEGER NOT NULL,
        received_to INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (tenant, stream, first)
    );
    ALTER TABLE groups ALTER COLUMN bytes SET STORAGE EXTERNAL;
    CREATE TABLE counters (TENANT, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (tenant, name))
        WITH (fillfactor = 50);
    CREATE TABLE sizes (TENANT, name TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (tenant, name))
        WITH (fillfactor = 50);
    INSERT INTO sizes (name, size) VALUES ('trail 0', 0), ('trail 1', 0), ('trail 2', 0), ('seen', 0);
    CREATE TABLE tallies (
        TENANT,
        span INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        beside TEXT NOT NULL,
        word TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant, span, kind, source, name, beside, word)
    );
    CREATE TABLE acts (
        TENANT,
        place INTEGER GENERATED ALWAYS AS IDENTITY,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        who TEXT NOT NULL,
        about TEXT NOT NULL,
        PRIMARY KEY (tenant, place)
    );
    CREATE TABLE looks (
        TENANT,
        place INTEGER GENERATED ALWAYS AS IDENTITY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        route TEXT NOT NULL,
        whom TEXT NOT NULL,
        PRIMARY KEY (tenant, place)
    );
    CREATE INDEX looks_at ON looks (tenant, whom, place);
    CREATE TABLE alerts (TENANT, cause TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, cause));
";

/// People, what was said of devices, contacts, and what persons contribute to those that many share. `n` is the order in which
/// they were first stored.
const DOCUMENTS: &str = "
    CREATE TABLE people (
        TENANT,
        hash BLOB NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        key TEXT NOT NULL,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, hash)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
    CREATE INDEX people_by_n ON people (tenant, n);
    CREATE TABLE timelines (
        TENANT,
        hash BLOB NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        people TEXT NOT NULL,
        anonymous_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, hash)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
    CREATE INDEX timelines_by_n ON timelines (tenant, n);
    CREATE TABLE contacts (
        TENANT,
        email TEXT NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, email)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
    CREATE INDEX contacts_by_n ON contacts (tenant, n);
    CREATE TABLE contributions (
        TENANT,
        email TEXT NOT NULL,
        hash BLOB NOT NULL,
        what TEXT NOT NULL,
        member TEXT NOT NULL,
        at INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        PRIMARY KEY (tenant, email, hash, what)
    );
    CREATE INDEX contributions_newest ON contributions (tenant, email, what, at DESC, message_id DESC);
    CREATE TABLE walks (
        TENANT, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, name)
    );
";

/// Deals, companies, what is told once, and the ids that records have in the CRM.
const RECORDS: &str = "
    CREATE TABLE deals (
        TENANT,
        key TEXT NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        found_by TEXT,
        held_for TEXT,
        held TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, key)
    );
    CREATE INDEX deals_by_n ON deals (tenant, n);
    CREATE INDEX deals_by_person ON deals (tenant, left(found_by, 300)) WHERE found_by IS NOT NULL;
    CREATE INDEX deals_held ON deals (tenant, left(found_by, 300), n) WHERE held IS NOT NULL;
    CREATE INDEX deals_by_cause ON deals (tenant, held_for, held, key) WHERE held IS NOT NULL;
    CREATE TABLE held_deals (
        TENANT, account TEXT NOT NULL, held TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (tenant, account, held)
    ) WITH (fillfactor = 50);
    CREATE TABLE companies (
        TENANT,
        key TEXT NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, key)
    );
    CREATE INDEX companies_by_n ON companies (tenant, n);
    CREATE TABLE happenings (
        TENANT,
        key TEXT NOT NULL,
        n INTEGER GENERATED ALWAYS AS IDENTITY,
        revision INTEGER NOT NULL,
        day INTEGER NOT NULL,
        account TEXT NOT NULL,
        open boolean NOT NULL,
        state TEXT NOT NULL,
        held TEXT NOT NULL,
        email TEXT,
        person TEXT,
        target TEXT,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, key)
    );
    CREATE INDEX happenings_by_n ON happenings (tenant, n);
    CREATE INDEX happenings_by_email ON happenings (tenant, left(email, 300), n) WHERE email IS NOT NULL;
    CREATE INDEX happenings_by_person ON happenings (tenant, left(person, 300), n) WHERE person IS NOT NULL;
    CREATE INDEX happenings_by_target ON happenings (tenant, left(target, 300), n) WHERE target IS NOT NULL;
    CREATE INDEX happenings_open_by_email ON happenings (tenant, left(email, 300), n) WHERE email IS NOT NULL AND open;
    CREATE INDEX happenings_open_by_person ON happenings (tenant, left(person, 300), n) WHERE person IS NOT NULL AND open;
    CREATE INDEX happenings_open_by_target ON happenings (tenant, left(target, 300), n) WHERE target IS NOT NULL AND open;
    CREATE INDEX happenings_open ON happenings (tenant, account, key) WHERE open;
    CREATE TABLE counted_happenings (
        TENANT,
        account TEXT NOT NULL,
        state TEXT NOT NULL,
        held TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant, account, state, held)
    ) WITH (fillfactor = 50);
    CREATE TABLE crm_ids (
        TENANT,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        id INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (tenant, account, kind, id)
    );
    CREATE INDEX crm_ids_by_key ON crm_ids (tenant, kind, key);
    CREATE TABLE selectors (
        TENANT, account TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, account, kind)
    );
    CREATE TABLE won (TENANT, key TEXT NOT NULL, at INTEGER NOT NULL, stands boolean NOT NULL, PRIMARY KEY (tenant, key));
    CREATE INDEX won_by_time ON won (tenant, at, key);
    CREATE TABLE exports (TENANT, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id));
    CREATE TABLE export_rows (
        TENANT,
        export INTEGER NOT NULL,
        deal INTEGER NOT NULL,
        whole INTEGER NOT NULL,
        body TEXT,
        PRIMARY KEY (tenant, export, deal)
    );
    CREATE INDEX export_rows_thin ON export_rows (tenant, export, deal) WHERE whole = 0;
";

/// What is owed. Lanes are numbered by precedence, 0 first; states in the order of a delivery's life: 0 waiting, 1 in flight,
/// 2 retrying, and the ends from 3 on. That a record has one call in flight is a constraint, whatever a node believes.
const DELIVERIES: &str = "
    CREATE TABLE deliveries (
        TENANT,
        sequence INTEGER GENERATED ALWAYS AS IDENTITY,
        id TEXT NOT NULL,
        account TEXT NOT NULL,
        subject TEXT NOT NULL,
        email TEXT NOT NULL,
        lane INTEGER NOT NULL,
        state INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        ended_at INTEGER,
        call_until timestamptz,
        epoch INTEGER,
        new_contact_of TEXT,
        alone INTEGER NOT NULL,
        reason TEXT,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, sequence)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
    CREATE UNIQUE INDEX deliveries_by_id ON deliveries (tenant, id);
    CREATE INDEX deliveries_owed ON deliveries (tenant, account, lane, opened_at, sequence) WHERE state IN (0, 1, 2);
    CREATE INDEX deliveries_by_time ON deliveries (tenant, account, next_attempt_at) WHERE state IN (0, 2);
    CREATE UNIQUE INDEX deliveries_in_flight ON deliveries (tenant, account, subject) WHERE state = 1;
    CREATE INDEX deliveries_by_subject ON deliveries (tenant, subject);
    CREATE INDEX deliveries_by_email ON deliveries (tenant, email);
    CREATE INDEX deliveries_by_state ON deliveries (tenant, state, sequence);
    CREATE INDEX deliveries_by_end ON deliveries (tenant, ended_at) WHERE state IN (3, 4, 6, 7);
    CREATE INDEX deliveries_refreshed ON deliveries (tenant, ended_at)
        WHERE state IN (3, 4, 6, 7) AND lane IN (3, 4, 5);
    CREATE INDEX deliveries_by_list ON deliveries (tenant, account, subject)
        WHERE state IN (0, 2) AND subject LIKE 'list:%';
    CREATE TABLE open_deliveries (
        TENANT,
        account TEXT NOT NULL,
        lane INTEGER NOT NULL,
        state INTEGER NOT NULL,
        alone INTEGER NOT NULL,
        new_contact_of TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant, account, lane, state, alone, new_contact_of)
    ) WITH (fillfactor = 50);
    CREATE TABLE refusals (
        TENANT,
        account TEXT NOT NULL,
        hash BLOB NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (tenant, account, hash)
    );
    CREATE INDEX refusals_by_count ON refusals (tenant, account, count);
    CREATE INDEX refusals_gone ON refusals (tenant) WHERE count <= 0;
    CREATE TABLE slots (
        TENANT,
        account TEXT NOT NULL,
        id INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        taken_at INTEGER NOT NULL,
        answered_at INTEGER,
        ran INTEGER NOT NULL,
        new_contact_of TEXT,
        PRIMARY KEY (tenant, account, id)
    );
    CREATE INDEX slots_by_answer ON slots (tenant, answered_at);
    CREATE TABLE next_slots (TENANT, account TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (tenant, account));
    CREATE TABLE bulk_jobs (
        TENANT, account TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, account, id)
    );
    CREATE TABLE destinations (
        TENANT, account TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, account)
    );
";

/// What became of events, and which messages were seen. `name` is the event's in lower case.
const TRAIL: &str = "
    CREATE TABLE events (
        TENANT,
        position INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        person TEXT,
        email TEXT,
        page TEXT,
        outcome TEXT NOT NULL,
        duplicates INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        worth INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, position)
    );
    CREATE INDEX events_by_message ON events (tenant, message_id, position);
    CREATE INDEX events_by_person ON events (tenant, left(person, 300), position) WHERE person IS NOT NULL;
    CREATE INDEX events_by_email ON events (tenant, email, position) WHERE email IS NOT NULL;
    CREATE INDEX events_by_worth ON events (tenant, worth, received_at);
    CREATE INDEX events_by_outcome ON events (tenant, outcome, position);
    CREATE INDEX events_by_name ON events (tenant, left(name, 300), position);
    CREATE TABLE seen (
        TENANT,
        source TEXT NOT NULL,
        message_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        PRIMARY KEY (tenant, source, message_id)
    ) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
    CREATE INDEX seen_by_receipt ON seen (tenant, received_at);
    CREATE TABLE failed (
        TENANT,
        position INTEGER NOT NULL,
        source TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (tenant, position)
    );
    CREATE INDEX failed_by_source ON failed (tenant, source, position) INCLUDE (bytes);
";

/// What other systems of the user are told: a row for each receiver. State 0 waits, 1 is dead.
const OUTGOING: &str = "
    CREATE TABLE outputs (
        TENANT,
        sequence INTEGER GENERATED ALWAYS AS IDENTITY,
        receiver TEXT NOT NULL,
        id TEXT NOT NULL,
        subject TEXT NOT NULL,
        person TEXT,
        consent boolean NOT NULL,
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        tried_at INTEGER,
        next_attempt_at INTEGER NOT NULL,
        error TEXT,
        made_at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, sequence)
    );
    CREATE UNIQUE INDEX outputs_by_id ON outputs (tenant, receiver, id);
    CREATE INDEX outputs_waiting ON outputs (tenant, receiver, subject, sequence) WHERE state = 0;
    CREATE INDEX outputs_by_state ON outputs (tenant, receiver, state, sequence);
    CREATE INDEX outputs_by_person ON outputs (tenant, person) WHERE person IS NOT NULL;
    CREATE INDEX outputs_by_age ON outputs (tenant, made_at);
    CREATE TABLE receivers (
        TENANT, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, name)
    );
    CREATE TABLE output_sizes (
        TENANT,
        receiver TEXT NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (tenant, receiver, state)
    ) WITH (fillfactor = 50);
";

/// Erasure: who must not come back, known by a hash under a key of this database alone; orders and receipts.
const PRIVACY: &str = "
    CREATE TABLE store_key (TENANT PRIMARY KEY, key BLOB NOT NULL);
    CREATE TABLE tombstones (TENANT, mark BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (tenant, mark));
    CREATE TABLE suppressed (
        TENANT,
        place INTEGER GENERATED ALWAYS AS IDENTITY,
        mark BLOB NOT NULL,
        at INTEGER NOT NULL,
        email TEXT,
        PRIMARY KEY (tenant, mark)
    );
    CREATE INDEX suppressed_by_place ON suppressed (tenant, place);
    CREATE TABLE erasures (TENANT, id INTEGER NOT NULL, done boolean NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id));
    CREATE INDEX erasures_open ON erasures (tenant, id) WHERE NOT done;
    CREATE TABLE blanks (TENANT, position INTEGER NOT NULL, PRIMARY KEY (tenant, position));
    CREATE TABLE forget_orders (
        TENANT,
        erasure INTEGER NOT NULL,
        nth INTEGER NOT NULL,
        account TEXT NOT NULL,
        email TEXT,
        behind TEXT,
        next_attempt_at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, erasure, nth)
    );
    CREATE INDEX forget_orders_due ON forget_orders (tenant, account, next_attempt_at) WHERE behind IS NULL;
    CREATE INDEX forget_orders_by_email ON forget_orders (tenant, account, email) WHERE email IS NOT NULL;
    CREATE INDEX forget_orders_behind ON forget_orders (tenant, behind) WHERE behind IS NOT NULL;
    CREATE TABLE forget_ends (
        TENANT, erasure INTEGER NOT NULL, name TEXT NOT NULL, contacts INTEGER NOT NULL, PRIMARY KEY (tenant, erasure, name)
    );
";

/// What nodes tell one another: the settings of the one that works, and orders that were given on another one.
const NODES: &str = "
    ALTER TABLE turns ADD COLUMN settings TEXT NOT NULL DEFAULT '';
    CREATE TABLE orders (
        TENANT,
        id INTEGER GENERATED ALWAYS AS IDENTITY,
        mark BLOB NOT NULL,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        role TEXT NOT NULL,
        method TEXT NOT NULL,
        route TEXT NOT NULL,
        target TEXT NOT NULL,
        body BLOB NOT NULL,
        taken boolean NOT NULL DEFAULT false,
        done_at INTEGER,
        status INTEGER,
        answer TEXT,
        PRIMARY KEY (tenant, id)
    );
    CREATE UNIQUE INDEX orders_by_mark ON orders (tenant, mark);
    CREATE INDEX orders_left ON orders (tenant, id) WHERE done_at IS NULL;
    ALTER TABLE orders ALTER COLUMN target SET STATISTICS 0;
    ALTER TABLE orders ALTER COLUMN body SET STATISTICS 0;
    ALTER TABLE orders ALTER COLUMN answer SET STATISTICS 0;
";
