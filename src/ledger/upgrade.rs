//! Makes the ledger, or brings that of an older dashagg to this version.
//!
//! What is to be done follows from what is there, so that a database in which it stopped half-way, as it can where DDL
//! commits by itself, is gone on with like any other. That it is done is written last.

use std::time::Duration;

use anyhow::Result;

use super::schema::{self, FORMER, PROGRAM, VERSION, VERSIONS};
use super::sources::{LEGACY, Tracking};
use super::words::TrackMethod;
use super::{clock, in_write, stamp};
use crate::engine::{DbError, Dialect, Engine, ErrorClass, Shape, Tx};
use crate::pause;

/// Columns since version 2, as `ledger.sql` has them.
const ADDED: [(&str, &str, &str); 9] = [
    ("dashagg_source", "method", "VARCHAR(16) DEFAULT 'triggers' NOT NULL"),
    ("dashagg_summary", "served_at", "VARCHAR(32)"),
    ("dashagg_summary", "status", "VARCHAR(16)"),
    ("dashagg_summary", "error", "VARCHAR(2000)"),
    ("dashagg_summary", "changes", "BIGINT DEFAULT 0 NOT NULL"),
    ("dashagg_summary", "changes_done", "BIGINT DEFAULT 0 NOT NULL"),
    ("dashagg_summary", "as_of", "VARCHAR(64)"),
    ("dashagg_summary", "computed_at", "VARCHAR(32)"),
    ("dashagg_summary", "recompute_checked", "VARCHAR(64)"),
];

/// What of those the former table of states had.
const FOLDED: [&str; 7] = ["served_at", "status", "error", "changes", "changes_done", "as_of", "computed_at"];

/// Statements that stand or fall together, also where DDL commits by itself: then there is no DDL among several.
type Step = Vec<String>;

/// Does it. The caller holds the ledger's lock.
///
/// # Errors
/// Whatever the server says; it can be run again.
pub async fn make(engine: &mut dyn Engine) -> Result<()> {
    let mut tries = 0;
    // Somebody may make the tables at the same moment, and on some servers `IF NOT EXISTS` fails then. What the error is
    // called depends on the moment (PostgreSQL: 23505, 42710 or 42P07); at the next try the other one's are there.
    while let Err(error) = attempt(engine).await {
        let _ = engine.rollback().await;
        tries += 1;
        let denied = error.downcast_ref::<DbError>().is_some_and(|error| error.class == ErrorClass::Denied);
        if tries == 5 || denied {
            return Err(error.context("making dashagg's own tables"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn attempt(engine: &mut dyn Engine) -> Result<()> {
    let steps = steps(engine).await?;
    if engine.dialect().transactional_ddl() {
        engine.begin(Tx::Write).await?;
        for sql in steps.iter().flatten() {
            pause::at("upgrading");
            engine.execute(sql).await?;
        }
        engine.commit().await?;
        return Ok(());
    }
    for step in &steps {
        pause::at("upgrading");
        match step.as_slice() {
            // A DDL statement that waits for a lock gives up by the session's own limit.
            [one] => engine.execute(one).await.map(drop)?,
            several => in_write(engine, several).await?,
        }
    }
    Ok(())
}

/// The SQL of it, to be shown.
///
/// # Errors
/// Whatever the server says.
pub async fn sql(engine: &mut dyn Engine) -> Result<Vec<String>> {
    Ok(steps(engine).await?.concat())
}

async fn steps(engine: &mut dyn Engine) -> Result<Vec<Step>> {
    let d = engine.dialect();
    let mut there = schema::own_tables(engine).await?;
    if !schema::is_there(&there) {
        // Not of our making.
        there.clear();
    }
    let has = |name: &str| there.iter().any(|table| table == name);
    let made = schema::tables(d).into_iter().filter(|(name, _)| !has(name));
    let mut steps: Vec<Step> = made.map(|(_, sql)| vec![sql]).collect();
    if !there.is_empty() {
        steps.extend(d.mend_ledger_sql().map(|sql| vec![sql]));
        steps.extend(added(engine, &there).await?);
        steps.extend(tracked(engine, &there).await?);
        steps.extend(folded(d, &there));
    }
    let done =
        has(VERSIONS.table) && schema::read_version(engine).await?.is_some_and(|v| v.number == VERSION);
    if !done {
        let at = stamp(clock(engine).await?);
        steps.push(vec![format!(
            "INSERT INTO {} (version, program, made_at) VALUES ({VERSION}, '{PROGRAM}', '{at}')",
            VERSIONS.table
        )]);
    }
    Ok(steps)
}

/// Adds the columns that are not there.
async fn added(engine: &mut dyn Engine, there: &[String]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (table, column, definition) in ADDED {
        if there.iter().any(|name| name == table) && !has_column(engine, table, column).await? {
            let definition = engine.dialect().ledger_columns(definition);
            steps.push(vec![format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")]);
        }
    }
    Ok(steps)
}

async fn has_column(engine: &mut dyn Engine, table: &str, column: &str) -> Result<bool> {
    let shape = Shape::read(engine, None, table).await?;
    Ok(shape.is_some_and(|shape| shape.column(column).is_some()))
}

/// Says by words of our own how each source is tracked: version 1 has the compiler's.
async fn tracked(engine: &mut dyn Engine, there: &[String]) -> Result<Vec<Step>> {
    if !there.iter().any(|name| name == LEGACY.table) {
        return Ok(Vec::new());
    }
    let d = engine.dialect();
    let rows = LEGACY.decode(engine.query(&LEGACY.select("")).await?, |row| {
        Ok((row.text("set_name")?, row.text("source")?, row.text("track_id")?))
    })?;
    let other = rows.into_iter().filter_map(|(set, source, id)| {
        let tracking = Tracking::of_version_1(&id);
        (tracking.method != TrackMethod::Triggers).then(|| {
            vec![format!(
                "UPDATE {} SET method = '{}', track_id = {} WHERE set_name = {} AND source = {}",
                LEGACY.table,
                tracking.method.as_str(),
                d.literal(&tracking.id),
                d.literal(&set),
                d.literal(&source)
            )]
        })
    });
    Ok(other.collect())
}

/// Folds the table of states into that of summaries. A run of the older dashagg may be under way, and what it still writes
/// there nobody would read. So it must fail and roll back: where DDL commits by itself the table gets another name first,
/// else any DDL on it keeps it from everybody until it is gone.
fn folded(d: &dyn Dialect, there: &[String]) -> Vec<Step> {
    let has = |name: &str| there.iter().any(|table| table == name);
    let [states, aside] = FORMER;
    let mut steps = Vec::new();
    for table in [aside, states].into_iter().filter(|name| has(name)) {
        let from = if table == aside {
            table
        } else if d.transactional_ddl() {
            steps.push(vec![format!("ALTER TABLE {states} ADD COLUMN folded BIGINT")]);
            table
        } else {
            steps.push(vec![format!("ALTER TABLE {states} RENAME TO {aside}")]);
            aside
        };
        steps.push(fold(from));
        steps.push(vec![format!("DROP TABLE {from}")]);
    }
    steps
}

fn fold(from: &str) -> Step {
    let same = "x.set_name = dashagg_summary.set_name AND x.summary = dashagg_summary.summary";
    let set = FOLDED.map(|column| {
        // Counted on: what waits here must go on waiting, should there have been two such tables.
        let counted = if column.starts_with("changes") { format!("{column} + ") } else { String::new() };
        format!("{column} = {counted}(SELECT x.{column} FROM {from} x WHERE {same})")
    });
    let columns = FOLDED.join(", ");
    let values = FOLDED.map(|column| format!("x.{column}")).join(", ");
    vec![
        format!(
            "UPDATE dashagg_summary SET {} WHERE EXISTS (SELECT 1 FROM {from} x WHERE {same})",
            set.join(", ")
        ),
        format!(
            "INSERT INTO dashagg_summary (set_name, summary, table_name, tier, select_checksum, {columns}) \
             SELECT x.set_name, x.summary, '', 0, '', {values} FROM {from} x WHERE NOT EXISTS \
             (SELECT 1 FROM dashagg_summary y WHERE y.set_name = x.set_name AND y.summary = x.summary)"
        ),
        format!("DELETE FROM {from}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgraded_table_has_the_columns_of_a_new_one() {
        for (table, column, definition) in ADDED {
            let from = schema::SQL.split(&format!("EXISTS {table} (")).nth(1);
            let made = from.and_then(|text| text.split(";\n").next()).unwrap_or_default();
            assert!(made.contains(&format!("\n    {column} {definition},\n")), "{table}.{column}: {made}");
        }
    }

    #[test]
    fn every_column_that_is_folded_is_added() {
        for column in FOLDED {
            assert!(ADDED.iter().any(|(table, added, _)| *table == "dashagg_summary" && *added == column));
        }
    }
}
