//! The schemas of both files, as lists of steps. A step that was released is never changed: add another.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure::OpenError;
use super::outputs;

/// The journal: a row for each group of events that was committed together.
pub(super) const JOURNAL: &[&str] = &["
    CREATE TABLE groups (
        first INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    -- The last position when groups were pruned last, so that none is ever given twice.
    CREATE TABLE pruned (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        journal_end INTEGER NOT NULL
    ) STRICT;
    INSERT INTO pruned VALUES (0, 0);
", "
    -- Old data that is being loaded, so that it can be read after what happens now. What was in the journal before stays
    -- among the live groups and is read to its end in the order in which it came.
    CREATE TABLE old_groups (
        first INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
"];

/// The state. Lanes are numbered by precedence, 0 first; states in the order of a delivery's life:
/// 0 waiting, 1 in flight, 2 retrying, and the ends from 3 on.
pub(super) const STATE: &[&str] = &["
    CREATE TABLE progress (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        position INTEGER NOT NULL
    ) STRICT;
    INSERT INTO progress VALUES (0, 0);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE seen (
        source TEXT NOT NULL,
        message_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (source, message_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE people (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE timelines (
        people TEXT NOT NULL,
        anonymous_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (people, anonymous_id)
    ) STRICT;
    CREATE TABLE contacts (email TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE destinations (account TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;

    CREATE TABLE deliveries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        email TEXT NOT NULL,
        lane INTEGER NOT NULL,
        state INTEGER NOT NULL,
        opened_at INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_owed ON deliveries (account, lane, opened_at, sequence, next_attempt_at, state)
        WHERE state IN (0, 1, 2);
    CREATE INDEX deliveries_by_time ON deliveries (account, next_attempt_at) WHERE state IN (0, 2);
    CREATE INDEX deliveries_in_flight ON deliveries (account, email) WHERE state = 1;
    CREATE INDEX deliveries_by_email ON deliveries (email);
    CREATE INDEX deliveries_by_state ON deliveries (state);

    -- Open deliveries counted, so that nobody counts a million rows.
    CREATE TABLE open_deliveries (
        account TEXT NOT NULL,
        lane INTEGER NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, lane, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER delivery_put AFTER INSERT ON deliveries WHEN new.state IN (0, 1, 2) BEGIN
        INSERT INTO open_deliveries VALUES (new.account, new.lane, new.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER delivery_gone AFTER DELETE ON deliveries WHEN old.state IN (0, 1, 2) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state;
    END;
    CREATE TRIGGER delivery_left AFTER UPDATE OF lane, state ON deliveries WHEN old.state IN (0, 1, 2) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state;
    END;
    CREATE TRIGGER delivery_moved AFTER UPDATE OF lane, state ON deliveries WHEN new.state IN (0, 1, 2) BEGIN
        INSERT INTO open_deliveries VALUES (new.account, new.lane, new.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;

    CREATE TABLE slots (
        account TEXT NOT NULL,
        id INTEGER NOT NULL,
        taken_at INTEGER NOT NULL,
        answered_at INTEGER,
        PRIMARY KEY (account, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX slots_by_answer ON slots (answered_at);
    CREATE TABLE next_slots (account TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    -- The trail. `name` is the event's in lower case.
    CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        message_id TEXT NOT NULL,
        source TEXT NOT NULL,
        name TEXT NOT NULL,
        person TEXT,
        email TEXT,
        outcome TEXT NOT NULL,
        duplicates INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_message ON events (message_id);
    CREATE INDEX events_by_person ON events (person) WHERE person IS NOT NULL;
    CREATE INDEX events_by_email ON events (email) WHERE email IS NOT NULL;
",
"
    -- When things have had their time. What is not known is taken as old.
    ALTER TABLE events ADD COLUMN received_at INTEGER NOT NULL DEFAULT 0;
    UPDATE events SET received_at = coalesce(json_extract(body, '$.received_at'), 0);
    CREATE INDEX events_by_receipt ON events (received_at);
    ALTER TABLE seen ADD COLUMN received_at INTEGER NOT NULL DEFAULT 0;
    UPDATE seen SET received_at =
        coalesce((SELECT received_at FROM events WHERE events.position = seen.position), 0);
    CREATE INDEX seen_by_receipt ON seen (received_at);
    ALTER TABLE deliveries ADD COLUMN ended_at INTEGER;
    UPDATE deliveries SET ended_at = json_extract(body, '$.ended_at');
    CREATE INDEX deliveries_by_end ON deliveries (ended_at) WHERE state IN (3, 4, 6, 7);
",
"
    -- Erasure: who must not come back, known by a hash under a key of this folder alone.
    CREATE TABLE tombstone_key (id INTEGER PRIMARY KEY CHECK (id = 0), key BLOB NOT NULL) STRICT;
    INSERT INTO tombstone_key VALUES (0, randomblob(32));
    CREATE TABLE tombstones (mark BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- Orders, with everything they need until they are carried out; receipts afterwards.
    CREATE TABLE erasures (id INTEGER PRIMARY KEY, done INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE INDEX erasures_open ON erasures (id) WHERE done = 0;
    -- Events of the journal whose content is to go.
    CREATE TABLE blanks (position INTEGER PRIMARY KEY) STRICT;
    -- Contacts that Freshsales is to forget.
    CREATE TABLE forgets (
        account TEXT NOT NULL,
        contact_id INTEGER NOT NULL,
        next_attempt_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        PRIMARY KEY (account, contact_id)
    ) STRICT, WITHOUT ROWID;
",
"
    -- What the debugger filters by, each with the position that the list is ordered by.
    CREATE INDEX events_by_outcome ON events (outcome);
    CREATE INDEX events_by_name ON events (name);
",
"
    -- Walks over everything that is stored, by name: how far each came.
    CREATE TABLE walks (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    -- Dead letters are counted with the open deliveries: both are many and asked for often.
    DROP TRIGGER delivery_put;
    DROP TRIGGER delivery_gone;
    DROP TRIGGER delivery_left;
    DROP TRIGGER delivery_moved;
    CREATE TRIGGER delivery_put AFTER INSERT ON deliveries WHEN new.state IN (0, 1, 2, 5) BEGIN
        INSERT INTO open_deliveries VALUES (new.account, new.lane, new.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER delivery_gone AFTER DELETE ON deliveries WHEN old.state IN (0, 1, 2, 5) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state;
    END;
    CREATE TRIGGER delivery_left AFTER UPDATE OF lane, state ON deliveries WHEN old.state IN (0, 1, 2, 5) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state;
    END;
    CREATE TRIGGER delivery_moved AFTER UPDATE OF lane, state ON deliveries WHEN new.state IN (0, 1, 2, 5) BEGIN
        INSERT INTO open_deliveries VALUES (new.account, new.lane, new.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    INSERT INTO open_deliveries
        SELECT account, lane, state, count(*) FROM deliveries WHERE state = 5 GROUP BY account, lane, state;
",
"
    -- The day on which somebody was heard last. What is not known counts from now on.
    ALTER TABLE people ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
    UPDATE people SET day = unixepoch() / 86400;
    ALTER TABLE timelines ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
    UPDATE timelines SET day = unixepoch() / 86400;
    -- How much there is of what has a limit, so that nobody counts it. A row takes about 200 bytes beside its texts.
    CREATE TABLE sizes (name TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO sizes VALUES
        ('trail', (SELECT coalesce(sum(length(body) + length(message_id) + 200), 0) FROM events)
            + (SELECT coalesce(sum(length(body) + 200), 0) FROM deliveries WHERE state IN (3, 4, 6, 7))),
        ('seen', (SELECT count(*) FROM seen));
    CREATE TRIGGER event_sized AFTER INSERT ON events BEGIN
        UPDATE sizes SET size = size + length(new.body) + length(new.message_id) + 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER event_unsized AFTER DELETE ON events BEGIN
        UPDATE sizes SET size = size - length(old.body) - length(old.message_id) - 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER delivery_sized AFTER INSERT ON deliveries WHEN new.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size + length(new.body) + 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER delivery_unsized AFTER DELETE ON deliveries WHEN old.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size - length(old.body) - 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER delivery_size_left AFTER UPDATE OF body ON deliveries WHEN old.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size - length(old.body) - 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER delivery_size_came AFTER UPDATE OF body ON deliveries WHEN new.state IN (3, 4, 6, 7) BEGIN
        UPDATE sizes SET size = size + length(new.body) + 200 WHERE name = 'trail';
    END;
    CREATE TRIGGER seen_counted AFTER INSERT ON seen BEGIN
        UPDATE sizes SET size = size + 1 WHERE name = 'seen';
    END;
    CREATE TRIGGER seen_uncounted AFTER DELETE ON seen BEGIN
        UPDATE sizes SET size = size - 1 WHERE name = 'seen';
    END;
",
"
    -- Whose new contact it is: what the quotas of the sources count.
    ALTER TABLE deliveries ADD COLUMN new_contact_of TEXT;
    ALTER TABLE slots ADD COLUMN new_contact_of TEXT;
",
"
    -- Bulk calls that were taken and have not reported: their claims outlive the process.
    CREATE TABLE bulk_jobs (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) STRICT, WITHOUT ROWID;
",
super::forget::STEP,
"
    -- How what is open may leave is counted with it: in a call of its own, and for the quota of which source.
    ALTER TABLE deliveries ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
    UPDATE deliveries SET alone = 1 WHERE state IN (0, 1, 2, 5) AND json_extract(body, '$.alone');
    DROP TRIGGER delivery_put;
    DROP TRIGGER delivery_gone;
    DROP TRIGGER delivery_left;
    DROP TRIGGER delivery_moved;
    DROP TABLE open_deliveries;
    CREATE TABLE open_deliveries (
        account TEXT NOT NULL,
        lane INTEGER NOT NULL,
        state INTEGER NOT NULL,
        alone INTEGER NOT NULL,
        new_contact_of TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, lane, state, alone, new_contact_of)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER delivery_put AFTER INSERT ON deliveries WHEN new.state IN (0, 1, 2, 5) BEGIN
        INSERT INTO open_deliveries
            VALUES (new.account, new.lane, new.state, new.alone, coalesce(new.new_contact_of, ''), 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER delivery_gone AFTER DELETE ON deliveries WHEN old.state IN (0, 1, 2, 5) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state AND alone = old.alone
                AND new_contact_of = coalesce(old.new_contact_of, '');
    END;
    CREATE TRIGGER delivery_left AFTER UPDATE OF lane, state, alone, new_contact_of ON deliveries
    WHEN old.state IN (0, 1, 2, 5) BEGIN
        UPDATE open_deliveries SET count = count - 1
            WHERE account = old.account AND lane = old.lane AND state = old.state AND alone = old.alone
                AND new_contact_of = coalesce(old.new_contact_of, '');
    END;
    CREATE TRIGGER delivery_moved AFTER UPDATE OF lane, state, alone, new_contact_of ON deliveries
    WHEN new.state IN (0, 1, 2, 5) BEGIN
        INSERT INTO open_deliveries
            VALUES (new.account, new.lane, new.state, new.alone, coalesce(new.new_contact_of, ''), 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    INSERT INTO open_deliveries
        SELECT account, lane, state, alone, coalesce(new_contact_of, '') AS new_of, count(*) FROM deliveries
        WHERE state IN (0, 1, 2, 5) GROUP BY account, lane, state, alone, new_of;
",
"
    -- What was said of nobody was kept as the time line of an anonymous id without a letter, which nothing can load: it
    -- goes, with whatever it gave. Texts of objects begin with their smallest key.
    DELETE FROM timelines WHERE anonymous_id = '';
    UPDATE people SET body = json_remove(body, '$.borrowed.\"\"'), revision = revision + 1
        WHERE instr(body, '\"borrowed\":{\"\":');
    UPDATE events SET person = NULL WHERE person LIKE '%anonymous:' AND instr(person, ':') = length(person);
",
"
    ALTER TABLE slots ADD COLUMN boottime INTEGER;
    ALTER TABLE slots ADD COLUMN boot BLOB;
",
"
    -- Events that could not be processed, whole: the journal may lose them before somebody tries them again.
    CREATE TABLE failed (
        position INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX failed_by_source ON failed (source, position, bytes);
",
"
    -- What persons contribute to contacts that more share than are listed in them.
    CREATE TABLE contributions (
        email TEXT NOT NULL,
        member TEXT NOT NULL,
        what TEXT NOT NULL,
        at INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        PRIMARY KEY (email, member, what)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX contributions_newest ON contributions (email, what, at DESC, message_id DESC, member);
    -- Contacts listed a hundred persons and forgot the rest. Who has their addresses is found among the people again.
    INSERT INTO walks
        SELECT 'gathering', 1, json_object('emails', json_group_array(email))
        FROM contacts WHERE json_array_length(body, '$.members') > 8 HAVING count(*) > 0;
",
"
    -- The position is that of the live stream; positions of the two are no longer dense, so events are counted.
    ALTER TABLE progress ADD COLUMN old_position INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE progress ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
    UPDATE progress SET events = position;
",
"
    -- Which record of the CRM a delivery is about; there were contacts alone. `email` is whom it is about, and empty where
    -- it is about nobody. One call of a record is on its way at a time.
    ALTER TABLE deliveries ADD COLUMN subject TEXT NOT NULL DEFAULT '';
    UPDATE deliveries SET subject = 'contact:' || email;
    DROP INDEX deliveries_in_flight;
    CREATE INDEX deliveries_in_flight ON deliveries (account, subject) WHERE state = 1;
    CREATE INDEX deliveries_by_subject ON deliveries (subject);
",
super::deals::STEP,
    "
    -- The lists of an account in which names have their ids, as they were answered last.
    CREATE TABLE selectors (
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, kind)
    ) STRICT, WITHOUT ROWID;
",
"
    -- What became of the causes that a person is told of, so that a restart neither tells twice nor forgets the end.
    CREATE TABLE alerts (cause TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
super::happenings::STEP,
super::crm_ids::STEP,
super::suppressed::STEP,
    outputs::SCHEMA,
    super::won::STEP,
    super::listings::STEP,
    super::exports::STEP,
    super::tallies::STEP,
    super::refusals::STEP,
    super::acts::STEP,
    super::retention::STEP,
    super::looks::STEP,
    super::names::STEP,
];

/// Brings a file to the newest schema, step by step, each whole or not at all.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str], file: &Path) -> Result<(), OpenError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let newer = || OpenError::Newer { file: file.to_owned(), found, known };
    let done = usize::try_from(found).map_err(|_| newer())?;
    let missing = steps.get(done..).ok_or_else(newer)?;
    for (version, step) in (found + 1..).zip(missing) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
