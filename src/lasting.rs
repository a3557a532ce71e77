//! Scratch tables that stay in the database: which a set wants, making them, and dropping those that are not wanted.

use anyhow::{Context as _, Result};

use crate::catalog::{Kind, Set, Summary};
use crate::checksum;
use crate::engine::dialect::Scratch;
use crate::engine::names::{SCRATCH as PREFIX, SCRATCH_PER_RUN as PER_RUN};
use crate::engine::{Column, Dialect, Engine, ErrorClass, Shape, statements};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;

/// A lasting scratch table that a summary wants.
pub(crate) struct Lasting {
    /// Its plain name.
    pub name: String,
    /// What the names of its summary's tables begin with.
    of_summary: String,
    /// What those begin with that have the summary's present columns and key.
    of_shape: String,
    /// As statements spell it.
    pub qualified: String,
    /// What it is for.
    pub scratch: Scratch,
    create: String,
    /// The same with a shorter key.
    shorter: String,
}

/// The beginning of the names of a set's lasting scratch tables.
fn of_set(set: &str) -> String {
    format!("{PREFIX}{}_", &checksum::hex(set)[..10])
}

/// The same of one summary; by its name, since its number depends on what a run was asked for.
fn of_summary(set: &str, summary: &str) -> String {
    format!("{}{}_", of_set(set), &checksum::hex(summary)[..10])
}

/// What names of a set's tables went on with, and what a run's name among those that claim notes begins with.
pub(crate) fn per_run(set: &str) -> String {
    checksum::hex(set)[..6].to_owned()
}

/// The scratch tables that last, for a summary whose table has these columns. Their names say what shape they have, so
/// that one which the summary has outgrown is known by its name.
pub(crate) fn wanted(
    d: &dyn Dialect,
    schema: &str,
    set: &str,
    summary: &Summary,
    columns: &[Column],
    read_above: bool,
) -> Vec<Lasting> {
    let columns: Vec<Column> = columns.iter().filter(|column| !column.generated).cloned().collect();
    let create = |qualified: &str, scratch: Scratch, with_run: bool| {
        let definitions = statements::scratch_columns(d, &columns, &summary.key, scratch);
        let unique = match scratch {
            Scratch::Stage => statements::stage_index(d, &summary.partition, &summary.key),
            _ if with_run => statements::delta_index(d, &summary.key),
            _ => summary.key.iter().map(|name| d.quote(name)).collect::<Vec<_>>().join(", "),
        };
        d.create_scratch(qualified, &definitions, Some(&unique), scratch)
    };
    let shape: String = d.lasting().iter().map(|scratch| create("", *scratch, true)).collect();
    let of_summary = of_summary(set, &summary.name);
    let of_shape = format!("{of_summary}{}", &checksum::hex(&shape)[..10]);
    // What no tier above reads no statement reads twice.
    let for_above = [Scratch::LookedUp, Scratch::Stage];
    let used = d.lasting().iter().filter(|scratch| read_above || !for_above.contains(scratch));
    used.map(|scratch| {
        let kind = match scratch {
            Scratch::LookedUp => "_k",
            Scratch::Stage => "_s",
            _ => "",
        };
        let name = format!("{of_shape}{kind}");
        let qualified = d.scratch_name(schema, &name, *scratch);
        Lasting {
            create: create(&qualified, *scratch, true),
            shorter: create(&qualified, *scratch, false),
            name,
            of_summary: of_summary.clone(),
            of_shape: of_shape.clone(),
            qualified,
            scratch: *scratch,
        }
    })
    .collect()
}

/// Names of the tables of dashagg's own.
pub(crate) async fn names(engine: &mut dyn Engine) -> Result<Vec<String>> {
    ledger::own_tables(engine).await
}

/// Whether a table is one that a run of version 0.1.0 of the set left behind when it was killed.
fn is_left(name: &str, set: &str) -> bool {
    let own = per_run(set);
    PER_RUN.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(&own)))
}

/// What `create` has to do about a set's scratch tables.
pub(crate) struct Todo {
    make: Vec<Lasting>,
    drop: Vec<String>,
}

impl Todo {
    /// Compares what is there with what the summaries' tables want, as far as there are tables.
    ///
    /// # Errors
    /// Whatever the server says.
    pub async fn of(engine: &mut dyn Engine, set: &Set) -> Result<Self> {
        let d = engine.dialect();
        let schema = engine.server().schema.clone();
        let mut all = Vec::new();
        for (index, summary) in set.summaries.iter().enumerate() {
            if summary.kind != Kind::Table || d.lasting().is_empty() {
                continue;
            }
            if let Some(shape) = Shape::read(engine, Some(summary.schema_in(&schema)), &summary.table).await?
            {
                let above = set.summaries.iter().any(|above| above.reads_summaries.contains(&index));
                all.extend(wanted(d, &schema, &set.name, summary, &shape.columns, above));
            }
        }
        let mut there = names(engine).await?;
        if !ledger::is_there(&there) {
            // Not of our making.
            there.clear();
        }
        let own = of_set(&set.name);
        let gone = |name: &&String| {
            is_left(name, &set.name)
                || name.starts_with(&own) && !all.iter().any(|table| table.name == **name)
        };
        let drop = there.iter().filter(gone).map(|name| drop_sql(d, &schema, name)).collect();
        all.retain(|table| !there.contains(&table.name));
        Ok(Self { make: all, drop })
    }

    /// The SQL, to be shown.
    pub fn sql(self) -> Vec<String> {
        self.drop.into_iter().chain(self.make.into_iter().map(|table| table.create)).collect()
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever the server says to making a table. One that is not wanted any more may be held by a reader; it is in
    /// nobody's way.
    pub async fn apply(self, engine: &mut dyn Engine) -> Result<()> {
        for table in &self.make {
            make(engine, table).await?;
        }
        for sql in self.drop {
            if let Err(error) = ledger::in_write(engine, std::slice::from_ref(&sql)).await {
                tracing::debug!("{sql}: {error:#}");
            }
        }
        Ok(())
    }
}

/// The SQL that drops every scratch table of a set.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn drop_all_sql(engine: &mut dyn Engine, set: &str) -> Result<Vec<String>> {
    let (d, schema) = (engine.dialect(), engine.server().schema.clone());
    let own = of_set(set);
    let all = names(engine).await?;
    let ours = all.iter().filter(|name| name.starts_with(&own) || is_left(name, set));
    Ok(ours.map(|name| drop_sql(d, &schema, name)).collect())
}

fn drop_sql(d: &dyn Dialect, schema: &str, name: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", d.qualify(schema, name))
}

async fn make(engine: &mut dyn Engine, table: &Lasting) -> Result<()> {
    let made = match engine.execute(&table.create).await {
        // The summary's key fills an index entry by itself. Then it alone is the key: two runs that overlap without
        // the lock may meet at a row of it, and the later one fails.
        Err(error) if error.class == ErrorClass::KeyTooLong => engine.execute(&table.shorter).await,
        other => other,
    };
    match made {
        Err(error) if error.class == ErrorClass::Denied => {
            Err(Failure::new(ExitCode::Failed, format!("making scratch table {}: {error}", table.name))
                .hint("run `dashagg create` as a user who may make tables")
                .into())
        }
        other => other.map(drop).with_context(|| format!("making scratch table {}", table.name)),
    }
}

/// Makes what `create` has not made (somebody altered or dropped a table since, or an older version made the set), and
/// takes away what it replaces.
pub(crate) async fn mend(
    engine: &mut dyn Engine,
    set: &Set,
    there: &[String],
    wanted: &[Lasting],
    held: bool,
) -> Result<()> {
    let missing: Vec<&Lasting> = wanted.iter().filter(|table| !there.contains(&table.name)).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|table| table.name.as_str()).collect();
        tracing::info!("set {}: making scratch tables anew, once: {}", set.name, names.join(", "));
    }
    for table in missing {
        make(engine, table).await?;
    }
    if !held {
        return Ok(());
    }
    let schema = engine.server().schema.clone();
    let outgrown = |name: &&String| {
        let outgrew =
            |table: &Lasting| name.starts_with(&table.of_summary) && !name.starts_with(&table.of_shape);
        is_left(name, &set.name) || wanted.iter().any(outgrew)
    };
    for name in there.iter().filter(outgrown) {
        let sql = drop_sql(engine.dialect(), &schema, name);
        match ledger::in_write(engine, &[sql]).await {
            Ok(()) => tracing::debug!("dropped {name}, which nothing uses any more"),
            Err(error) => tracing::debug!("{name}: {error:#}"),
        }
    }
    Ok(())
}
