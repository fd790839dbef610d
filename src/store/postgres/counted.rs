//! Counts that follow a table: triggers for a statement, so that a plan of a thousand rows writes each count once.

/// What is counted of a table, and where.
pub(super) struct Counted {
    /// What the functions and triggers are called.
    pub(super) name: &'static str,
    /// The table.
    pub(super) table: &'static str,
    /// What a row counts for: a query of `{rows}` with `{n}` for how often.
    pub(super) of_row: &'static str,
    /// Writes what was counted, from a query `{counted}`.
    pub(super) write: &'static str,
}

impl Counted {
    /// The functions and triggers.
    pub(super) fn sql(&self) -> String {
        let came = || self.counted("new_rows", "1");
        let went = || self.counted("old_rows", "-1");
        [
            ("insert", "NEW TABLE AS new_rows", came()),
            ("delete", "OLD TABLE AS old_rows", went()),
            (
                "update",
                "OLD TABLE AS old_rows NEW TABLE AS new_rows",
                format!("{} UNION ALL {}", came(), went()),
            ),
        ]
        .map(|(on, rows, counted)| {
            let (name, table) = (self.name, self.table);
            let write = self.write.replace("{counted}", &format!("({counted})"));
            format!(
                "CREATE FUNCTION {name}_{on}() RETURNS trigger LANGUAGE plpgsql AS $body$
                 BEGIN {write}; RETURN NULL; END $body$;
                 CREATE TRIGGER {name}_{on} AFTER {on} ON {table} REFERENCING {rows}
                 FOR EACH STATEMENT EXECUTE FUNCTION {name}_{on}();\n"
            )
        })
        .concat()
    }

    fn counted(&self, rows: &str, n: &str) -> String {
        self.of_row.replace("{rows}", rows).replace("{n}", n)
    }
}

/// All of them.
pub(super) const ALL: [Counted; 9] = [
    Counted {
        name: "open_deliveries_counted",
        table: "deliveries",
        of_row: "SELECT account, lane, state, alone, coalesce(new_contact_of, '') AS bound, {n} AS n FROM {rows}
                 WHERE state IN (0, 1, 2, 5)",
        write: "INSERT INTO open_deliveries (account, lane, state, alone, new_contact_of, count)
                SELECT account, lane, state, alone, bound, sum(n) FROM {counted} AS c
                GROUP BY account, lane, state, alone, bound HAVING sum(n) <> 0
                ON CONFLICT (tenant, account, lane, state, alone, new_contact_of)
                DO UPDATE SET count = open_deliveries.count + excluded.count",
    },
    Counted {
        name: "refusals_counted",
        table: "deliveries",
        of_row: "SELECT account, coalesce(reason, '') AS reason, {n} AS n FROM {rows} WHERE state = 5",
        write: "INSERT INTO refusals (account, hash, reason, count)
                SELECT account, sha256(convert_to(reason, 'UTF8')), reason, sum(n) FROM {counted} AS c
                GROUP BY account, reason HAVING sum(n) <> 0
                ON CONFLICT (tenant, account, hash) DO UPDATE SET count = refusals.count + excluded.count;
                DELETE FROM refusals WHERE tenant = 1 AND count <= 0",
    },
    Counted {
        name: "deliveries_sized",
        table: "deliveries",
        of_row: "SELECT CASE WHEN lane IN (3, 4, 5) THEN 'trail 1' ELSE 'trail 2' END AS name,
                 (octet_length(body) + 200) * {n} AS n FROM {rows} WHERE state IN (3, 4, 6, 7)",
        write: SIZED_TRAIL,
    },
    Counted {
        name: "events_sized",
        table: "events",
        of_row: "SELECT 'trail ' || worth AS name, (octet_length(body) + octet_length(message_id) + 200) * {n} AS n
                 FROM {rows}",
        write: SIZED_TRAIL,
    },
    Counted {
        name: "seen_sized",
        table: "seen",
        of_row: "SELECT {n} AS n FROM {rows}",
        write: "UPDATE sizes SET size = size + c.n FROM
                (SELECT coalesce(sum(n), 0)::bigint AS n FROM {counted} AS r) AS c
                WHERE tenant = 1 AND name = 'seen' AND c.n <> 0",
    },
    Counted {
        name: "held_deals_counted",
        table: "deals",
        of_row: "SELECT held_for, held, {n} AS n FROM {rows} WHERE held IS NOT NULL",
        write: "INSERT INTO held_deals (account, held, count)
                SELECT held_for, held, sum(n) FROM {counted} AS c GROUP BY held_for, held HAVING sum(n) <> 0
                ON CONFLICT (tenant, account, held) DO UPDATE SET count = held_deals.count + excluded.count",
    },
    Counted {
        name: "won_deals_gone",
        table: "deals",
        of_row: "SELECT key, {n} AS n FROM {rows}",
        write: "DELETE FROM won WHERE tenant = 1 AND key IN
                (SELECT key FROM {counted} AS c GROUP BY key HAVING sum(n) < 0)",
    },
    Counted {
        name: "happenings_counted",
        table: "happenings",
        of_row: "SELECT account, state, held, {n} AS n FROM {rows}",
        write: "INSERT INTO counted_happenings (account, state, held, count)
                SELECT account, state, held, sum(n) FROM {counted} AS c GROUP BY account, state, held HAVING sum(n) <> 0
                ON CONFLICT (tenant, account, state, held) DO UPDATE SET count = counted_happenings.count + excluded.count",
    },
    Counted {
        name: "outputs_counted",
        table: "outputs",
        of_row: "SELECT receiver, state, {n} AS n, bytes * {n} AS bytes FROM {rows}",
        write: "INSERT INTO output_sizes (receiver, state, count, bytes)
                SELECT receiver, state, sum(n), sum(bytes) FROM {counted} AS c GROUP BY receiver, state
                HAVING sum(n) <> 0 OR sum(bytes) <> 0
                ON CONFLICT (tenant, receiver, state) DO UPDATE
                SET count = output_sizes.count + excluded.count, bytes = output_sizes.bytes + excluded.bytes",
    },
];

/// How much the trail takes.
const SIZED_TRAIL: &str = "UPDATE sizes SET size = size + c.n FROM
    (SELECT name, sum(n)::bigint AS n FROM {counted} AS r GROUP BY name) AS c
    WHERE tenant = 1 AND sizes.name = c.name AND c.n <> 0";
