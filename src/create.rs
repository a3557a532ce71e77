//! `dashagg create`: the ledger, the versioned scripts in order, and the indexes that refresh needs on the
//! sources. Safe to run again and again; a script that stopped half-way is continued once it is mended.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::catalog::script::Script;
use crate::catalog::{Catalog, Set, lexer};
use crate::checksum;
use crate::cli::CreateArgs;
use crate::engine::{Engine, Shape, Tx};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::ledger;
use crate::report::words;
use crate::session::{self, Context};

/// What `create` did.
#[derive(Debug, Serialize)]
pub struct CreateReport {
    /// Version of the JSON form.
    pub schema: u32,
    /// One entry a set.
    pub sets: Vec<SetCreated>,
}

/// What `create` did for one set.
#[derive(Debug, Serialize)]
pub struct SetCreated {
    /// Name of the set.
    pub set: String,
    /// Scripts applied now.
    pub applied: Vec<String>,
    /// Indexes added to sources now.
    pub indexes: Vec<String>,
    /// SQL that would run, with `--dry-run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sql: Vec<String>,
}

impl SetCreated {
    fn new(set: &Set) -> Self {
        Self { set: set.name.clone(), applied: Vec::new(), indexes: Vec::new(), sql: Vec::new() }
    }
}

/// A script as the ledger knows it.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its number.
    pub version: u32,
    /// Its file name then.
    pub file: String,
    /// Its checksum then.
    pub checksum: String,
    /// It ran to its end.
    pub complete: bool,
    /// Statements that ran, if it did not.
    pub statements_done: usize,
    /// Checksum of those statements.
    pub done_checksum: String,
}

/// Runs `create` for the selected sets.
///
/// # Errors
/// The first set's failure: exit code 6 if an applied script was edited, 11 if the set is locked.
pub async fn run(context: &Context, catalog: &Catalog, args: &CreateArgs) -> Result<CreateReport> {
    let mut sets = Vec::new();
    for selected in catalog.select(&args.select)? {
        let mut engine = context.connect().await?;
        sets.push(create_set(context, engine.as_mut(), selected.set, args).await?);
    }
    Ok(CreateReport { schema: crate::report::SCHEMA, sets })
}

async fn create_set(
    context: &Context,
    engine: &mut dyn Engine,
    set: &Set,
    args: &CreateArgs,
) -> Result<SetCreated> {
    if args.dry_run {
        return dry_run(engine, set, args).await;
    }
    if let Some(note) = engine.prepare_database().await? {
        tracing::info!("{note}");
    }
    if !ledger::exists(engine).await? || SetRow::missing(engine, set).await? {
        for sql in ledger::ddl(engine.dialect()) {
            engine.execute(&sql).await.context("making dashagg's own tables")?;
        }
        SetRow::insert(engine, set).await?;
    }
    session::lock(context, engine, &set.name, args.wait.unwrap_or(context.config.run.wait)).await?;
    let result = apply_all(context, engine, set, args).await;
    let _ = engine.rollback().await;
    session::unlock(engine, &set.name).await;
    result
}

/// The set's row in the ledger.
struct SetRow;

impl SetRow {
    async fn missing(engine: &mut dyn Engine, set: &Set) -> Result<bool> {
        let name = engine.dialect().literal(&set.name);
        let sql = format!("SELECT 1 FROM dashagg_set WHERE set_name = {name}");
        Ok(engine.query(&sql).await?.is_empty())
    }

    async fn insert(engine: &mut dyn Engine, set: &Set) -> Result<()> {
        let name = engine.dialect().literal(&set.name);
        let sql = format!("INSERT INTO dashagg_set (set_name, generation) VALUES ({name}, 0)");
        let added = ledger::in_write(engine, &[sql]).await;
        // Two first runs at once: the other one's row is as good.
        if added.is_err() && !Self::missing(engine, set).await? {
            return Ok(());
        }
        added
    }
}

async fn apply_all(
    context: &Context,
    engine: &mut dyn Engine,
    set: &Set,
    args: &CreateArgs,
) -> Result<SetCreated> {
    let mut created = SetCreated::new(set);
    let applied = applied_scripts(engine, &set.name).await?;
    refuse_drift(set, &applied)?;
    for script in &set.scripts {
        context.interrupt.check()?;
        let known = applied.iter().find(|known| known.version == script.version);
        if known.is_some_and(|known| known.complete) {
            continue;
        }
        apply(engine, set, script, known).await?;
        created.applied.push(script.file.clone());
    }
    if !args.skip_source_indexes {
        for (sql, name, table) in missing_indexes(engine, set).await? {
            context.interrupt.check()?;
            announce(engine, &name, &table).await?;
            engine.execute(&sql).await.with_context(|| format!("adding index {name} to {table}"))?;
            created.indexes.push(name);
        }
    }
    Ok(created)
}

/// Scripts that the ledger knows, in order; none if there is no ledger.
///
/// # Errors
/// Whatever the server says.
pub async fn applied_scripts(engine: &mut dyn Engine, set: &str) -> Result<Vec<Applied>> {
    let sql = format!(
        "SELECT version, file_name, checksum, state, statements_done, done_checksum FROM dashagg_script \
         WHERE set_name = {} ORDER BY version",
        engine.dialect().literal(set)
    );
    let rows = engine.query(&sql).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            Applied {
                version: next().parse().unwrap_or(0),
                file: next(),
                checksum: next(),
                complete: next() == "applied",
                statements_done: next().parse().unwrap_or(0),
                done_checksum: next(),
            }
        })
        .collect())
}

/// Whether the scripts on disk are still the ones that were applied.
///
/// # Errors
/// Exit code 6, naming the first script that was edited, renumbered or removed.
pub fn refuse_drift(set: &Set, applied: &[Applied]) -> Result<(), Failure> {
    for known in applied.iter().filter(|known| known.complete) {
        match set.scripts.iter().find(|script| script.version == known.version) {
            None => {
                return Err(Failure::new(
                    ExitCode::Drift,
                    format!("{}: script {} was applied but is gone", set.location, known.file),
                )
                .hint("put it back: applied scripts are history"));
            }
            Some(script) if script.checksum != known.checksum => {
                return Err(Failure::new(
                    ExitCode::Drift,
                    format!("{}: script {} was edited after it was applied", set.location, script.file),
                )
                .hint("undo the edit and put the change into a new script with the next number"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

async fn apply(engine: &mut dyn Engine, set: &Set, script: &Script, known: Option<&Applied>) -> Result<()> {
    let dialect = engine.dialect();
    let statements = lexer::statements(&script.sql, dialect.lex_rules());
    let start = Instant::now();
    let at = ledger::stamp(ledger::clock(engine).await?);
    let whole = dialect.transactional_ddl() && !script.no_transaction;
    let skip = match known {
        Some(known) => resume_at(set, script, known, &statements)?,
        None => 0,
    };
    let row = ScriptRow { set: &set.name, script, at };
    if whole {
        engine.begin(Tx::Write).await?;
    }
    if !whole && known.is_none() {
        engine.execute(&row.insert(engine.dialect(), "applying", &[], start)).await?;
    }
    for (index, statement) in statements.iter().enumerate().skip(skip) {
        if let Err(error) = engine.execute(statement).await {
            let _ = engine.rollback().await;
            let first_line = statement.lines().next().unwrap_or("").trim();
            let failure = Failure::new(
                ExitCode::Failed,
                format!(
                    "{}/{}: statement {} of {} ({first_line} …): {error}",
                    set.location,
                    script.file,
                    index + 1,
                    statements.len()
                ),
            );
            return Err(if whole {
                failure.hint("nothing of this script was kept; mend it and run `dashagg create` again")
            } else {
                failure.hint(format!(
                    "mend this statement and run `dashagg create` again: it goes on here, after the {index} statements that have run"
                ))
            }
            .into());
        }
        if !whole {
            let sql = row.progress(engine.dialect(), "applying", &statements[..=index], start);
            engine.execute(&sql).await?;
        }
    }
    let sql = if whole && known.is_none() {
        row.insert(engine.dialect(), "applied", &statements, start)
    } else {
        row.progress(engine.dialect(), "applied", &statements, start)
    };
    engine.execute(&sql).await?;
    engine.commit().await?;
    Ok(())
}

/// Where a half-applied script goes on.
fn resume_at(set: &Set, script: &Script, known: &Applied, statements: &[String]) -> Result<usize, Failure> {
    let done = known.statements_done;
    let same =
        statements.get(..done).is_some_and(|head| checksum::hex(&head.join(";\n")) == known.done_checksum);
    if same {
        return Ok(done);
    }
    Err(Failure::new(
        ExitCode::Drift,
        format!(
            "{}: script {} stopped after statement {done}, and the statements before that were edited since",
            set.location, script.file
        ),
    )
    .hint("restore those statements, which have run; edit only what comes after them"))
}

/// A script's row in the ledger.
struct ScriptRow<'a> {
    set: &'a str,
    script: &'a Script,
    at: String,
}

impl ScriptRow<'_> {
    fn insert(&self, d: &dyn crate::engine::Dialect, state: &str, done: &[String], start: Instant) -> String {
        format!(
            "INSERT INTO dashagg_script (set_name, version, file_name, checksum, state, statements_done, \
             done_checksum, applied_at, applied_by, seconds) VALUES ({}, {}, {}, '{}', '{state}', {}, '{}', '{}', {}, {:.3})",
            d.literal(self.set),
            self.script.version,
            d.literal(&self.script.file),
            self.script.checksum,
            done.len(),
            checksum::hex(&done.join(";\n")),
            self.at,
            d.literal(&who()),
            start.elapsed().as_secs_f64(),
        )
    }

    fn progress(
        &self,
        d: &dyn crate::engine::Dialect,
        state: &str,
        done: &[String],
        start: Instant,
    ) -> String {
        format!(
            "UPDATE dashagg_script SET file_name = {}, checksum = '{}', state = '{state}', statements_done = {}, \
             done_checksum = '{}', applied_at = '{}', applied_by = {}, seconds = {:.3} \
             WHERE set_name = {} AND version = {}",
            d.literal(&self.script.file),
            self.script.checksum,
            done.len(),
            checksum::hex(&done.join(";\n")),
            self.at,
            d.literal(&who()),
            start.elapsed().as_secs_f64(),
            d.literal(self.set),
            self.script.version,
        )
    }
}

/// The person (as the operating system knows them) and host that ran `create`.
fn who() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    format!("{user}@{}", ledger::host())
}

/// Index statements that the sources still need: `(sql, index, table)`.
async fn missing_indexes(engine: &mut dyn Engine, set: &Set) -> Result<Vec<(String, String, String)>> {
    let mut missing = Vec::new();
    for source in &set.sources {
        if source.indexes.is_empty() {
            continue;
        }
        let Some(mut shape) = Shape::read(engine, None, &source.table).await? else {
            return Err(Failure::new(
                ExitCode::Failed,
                format!("source table {} does not exist in {}", source.table, engine.server().database),
            )
            .hint("it belongs to your application; check the connection, or use --skip-source-indexes")
            .into());
        };
        for index in &source.indexes {
            if let Some(have) = shape.index_led_by(&index.columns) {
                tracing::debug!("{}: {} already serves {}", source.table, have.name, index.name);
                continue;
            }
            let d = engine.dialect();
            // An interrupted concurrent build leaves an index of that name behind that serves nothing.
            if shape.indexes.iter().any(|have| have.name == index.name) {
                if let Some(sql) = d.drop_broken_index(&index.name) {
                    engine.execute(&sql).await?;
                } else {
                    return Err(Failure::new(
                        ExitCode::Failed,
                        format!(
                            "{} has another index named {}, which does not lead with ({})",
                            source.table,
                            index.name,
                            index.columns.join(", ")
                        ),
                    )
                    .hint("rename one of them, or use --skip-source-indexes")
                    .into());
                }
            }
            let sql = d.create_index_online(&index.name, &source.table, &index.columns);
            missing.push((sql, index.name.clone(), source.table.clone()));
            // A wider index planned before a narrower one makes the narrower superfluous.
            shape.indexes.push(crate::engine::Index {
                name: index.name.clone(),
                unique: false,
                partial: false,
                columns: index.columns.clone(),
            });
        }
    }
    Ok(missing)
}

/// Says what is about to take long. Half a million rows a second is what ordinary disks and processors do.
async fn announce(engine: &mut dyn Engine, name: &str, table: &str) -> Result<()> {
    let sql = engine.dialect().estimated_rows_sql(table);
    let rows = engine.scalar(&sql).await?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let wait = Duration::from_secs(rows / 500_000 + 1);
    tracing::info!(
        "adding index {name} to {table} (about {} rows) online: expect about {}; --skip-source-indexes leaves it out",
        words::thousands(rows),
        humantime::format_duration(wait)
    );
    Ok(())
}

async fn dry_run(engine: &mut dyn Engine, set: &Set, args: &CreateArgs) -> Result<SetCreated> {
    let mut created = SetCreated::new(set);
    let applied = if ledger::exists(engine).await? {
        applied_scripts(engine, &set.name).await?
    } else {
        created.sql.extend(ledger::ddl(engine.dialect()));
        Vec::new()
    };
    refuse_drift(set, &applied)?;
    let rules = engine.dialect().lex_rules();
    for script in &set.scripts {
        let known = applied.iter().find(|known| known.version == script.version);
        if known.is_some_and(|known| known.complete) {
            continue;
        }
        let statements = lexer::statements(&script.sql, rules);
        let skip = known.map_or(Ok(0), |known| resume_at(set, script, known, &statements))?;
        created.applied.push(script.file.clone());
        created.sql.extend(statements.into_iter().skip(skip));
    }
    if !args.skip_source_indexes {
        for (sql, name, _) in missing_indexes(engine, set).await? {
            created.indexes.push(name);
            created.sql.push(sql);
        }
    }
    Ok(created)
}

impl CreateReport {
    /// Prints for people, or as JSON.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn print(&self, json: bool, dry_run: bool, out: &mut dyn Write) -> std::io::Result<()> {
        if json {
            return writeln!(out, "{}", serde_json::to_string(self).unwrap_or_default());
        }
        for set in &self.sets {
            if dry_run {
                for sql in &set.sql {
                    writeln!(out, "{sql};\n")?;
                }
                if set.sql.is_empty() {
                    writeln!(out, "-- {}: nothing to do", set.set)?;
                }
                continue;
            }
            for script in &set.applied {
                writeln!(out, "{}: applied {script}", set.set)?;
            }
            for index in &set.indexes {
                writeln!(out, "{}: added index {index}", set.set)?;
            }
            if set.applied.is_empty() && set.indexes.is_empty() {
                writeln!(out, "{}: up to date, nothing to do", set.set)?;
            }
        }
        if !dry_run {
            let names: Vec<&str> = self.sets.iter().map(|set| set.set.as_str()).collect();
            writeln!(out, "next: dashagg refresh {}", names.join(" "))?;
        }
        Ok(())
    }
}
