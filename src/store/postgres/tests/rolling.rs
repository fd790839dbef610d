//! Tests of nodes of two versions on one schema, as while they are replaced one after the other.

use super::*;
use crate::store::postgres::dial::{Dial, Purpose};
use crate::store::postgres::migrate::AHEAD_MAX;
use crate::store::postgres::tables;
use crate::store::{Keys, Plan, Put};

/// What a step must not hold: whoever still works as before would fail, or wait while a large table is written anew. Each with what
/// makes it harmless in the same statement.
const NOT_ADDING: &[(&str, Option<&str>)] = &[
    ("DROP ", None),
    ("RENAME", None),
    ("TRUNCATE", None),
    ("DELETE FROM", None),
    ("UPDATE ", Some("SET STATISTICS")),
    (" TYPE ", None),
    ("SET NOT NULL", None),
    ("NOT NULL", Some("DEFAULT")),
    ("ADD CONSTRAINT", None),
    ("CREATE TRIGGER", None),
    ("CREATE UNIQUE INDEX", None),
    ("CREATE INDEX", None),
];

/// The statements of a step that do not only add. What concerns a table that the step itself makes is in nobody's way.
fn not_adding(step: &str) -> Vec<String> {
    let own: Vec<&str> = step
        .split("CREATE TABLE ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| c.is_whitespace() || c == '(').next())
        .collect();
    let concerns = |statement: &str, table: &str| {
        statement.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| word == table)
    };
    let statements = step.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    let of_others = statements.filter(|statement| !own.iter().any(|table| concerns(statement, table)));
    let breaks = |statement: &str| {
        NOT_ADDING.iter().any(|(word, unless)| {
            statement.contains(word) && unless.is_none_or(|unless| !statement.contains(unless))
        })
    };
    of_others.filter(|statement| breaks(statement)).map(str::to_owned).collect()
}

#[test]
fn every_step_after_the_first_only_adds() {
    for step in tables::steps().into_iter().skip(1) {
        assert_eq!(not_adding(&step), Vec::<String>::new());
    }
}

#[test]
fn what_does_not_only_add_is_found() {
    for step in [
        "ALTER TABLE people DROP COLUMN day",
        "ALTER TABLE people RENAME COLUMN day TO since",
        "ALTER TABLE people ALTER COLUMN day TYPE text",
        "ALTER TABLE people ADD COLUMN more bigint NOT NULL",
        "ALTER TABLE people ALTER COLUMN body SET NOT NULL",
        "CREATE INDEX people_by_day ON people (tenant, day)",
        "UPDATE people SET day = 0",
    ] {
        assert_eq!(not_adding(step), [step]);
    }
    let adds = "ALTER TABLE people ADD COLUMN more bigint NOT NULL DEFAULT 0; ALTER TABLE people ADD COLUMN maybe text;
        CREATE TABLE orders (tenant smallint NOT NULL, id bigint); CREATE UNIQUE INDEX orders_by_id ON orders (id)";
    assert_eq!(not_adding(adds), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_works_with_the_schema_of_the_next_version_and_refuses_the_one_after() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = cluster::private() else { return };
    let settings = of_folder(cluster, folder.path(), settings());
    let clock = || Arc::new(ManualClock::at(NOW));
    let before: Arc<TestStore> = PostgresStore::open(settings.clone(), clock()).unwrap();
    let link = Dial::new(&settings).unwrap().connect(Purpose::Write).await.unwrap();
    // As a node of the next version leaves it when it starts.
    let next = "ALTER TABLE people ADD COLUMN more bigint NOT NULL DEFAULT 0; CREATE TABLE of_the_next (id bigint PRIMARY KEY);
                INSERT INTO migrations (version) SELECT max(version) + 1 FROM migrations";
    link.batch(next).await.unwrap();
    append(&before, "a").await.unwrap();
    drop(before);
    let works: Arc<TestStore> = PostgresStore::open_leading(settings.clone(), clock()).unwrap();
    append(&works, "b").await.unwrap();
    let key: crate::person::PersonKey = "user:1".parse().unwrap();
    let put = Put::Person(key.clone(), 0, crate::person::Person::default());
    works.apply(Plan { puts: vec![put], ..Plan::default() }).await.unwrap();
    let keys = Keys { people: [key.clone()].into(), ..Keys::default() };
    assert!(works.load(keys).await.unwrap().people.contains_key(&key));
    assert_eq!(works.totals(account()).await.unwrap().accepted, 2);
    drop(works);
    let known = i64::try_from(tables::steps().len()).unwrap();
    link.batch("INSERT INTO migrations (version) SELECT max(version) + 1 FROM migrations").await.unwrap();
    let refused = PostgresStore::open(settings, clock()).map(drop).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let OpenError::Newer { found, .. } = refused else { panic!("{refused}") };
    assert_eq!(found, known + AHEAD_MAX + 1);
}
