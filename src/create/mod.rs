//! `dashagg create`: the ledger, the versioned scripts in order, and the indexes that refresh needs on the
//! sources. Safe to run again and again; a script that stopped half-way is continued once it is mended.

mod indexes;
mod scripts;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::catalog::{Catalog, Kind, Selected, Set, lexer};
use crate::claims;
use crate::cli::CreateArgs;
use crate::engine::{Column, Engine, ErrorClass, Tables};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::inspect;
use crate::lasting;
use crate::ledger::{self, Ledger};
use crate::objects::{self, explain, grants, live};
use crate::session::{self, Context};
use crate::tracking::{self, Found};

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
    /// Live views, made or made anew.
    pub views: Vec<String>,
    /// SQL that would run, with `--dry-run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sql: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
}

impl SetCreated {
    fn new(set: &Set) -> Self {
        Self {
            set: set.name.clone(),
            applied: Vec::new(),
            indexes: Vec::new(),
            views: Vec::new(),
            sql: Vec::new(),
            error: None,
        }
    }
}

/// Runs `create` for the selected sets. Each is on its own: one that fails leaves the others alone.
///
/// # Errors
/// The first set's failure if none succeeded: exit code 6 if an applied script was edited, 11 if the set is
/// locked.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &CreateArgs,
) -> Result<(CreateReport, ExitCode)> {
    let mut sets = Vec::new();
    let mut errors = Vec::new();
    let (mut chosen, _) = session::choose(context, catalog, &args.select).await?;
    if args.select.is_empty() && catalog.sets.len() > 1 {
        // A set whose sources have come since the first `create` is welcome too.
        let mut engine = context.connect().await?;
        for set in session::fitting(engine.as_mut(), catalog).await.unwrap_or_default() {
            if !chosen.iter().any(|selected| selected.set.name == set.name) {
                chosen.push(Selected { set, summaries: Vec::new() });
            }
        }
    }
    for selected in chosen {
        let mut engine = context.connect().await?;
        let result = create_set(context, engine.as_mut(), selected.set, args).await;
        match result {
            Ok(created) => sets.push(created),
            Err(error) => {
                // A cancelled statement's own error says less than the signal does.
                context.interrupt.check()?;
                sets.push(SetCreated { error: Some(Failure::of(&error).1), ..SetCreated::new(selected.set) });
                errors.push(error);
            }
        }
    }
    let partly = sets.len() > errors.len();
    match errors.into_iter().next() {
        Some(first) if !partly => Err(first),
        first => {
            let code = if first.is_some() { ExitCode::Partial } else { ExitCode::Ok };
            Ok((CreateReport { schema: crate::report::SCHEMA, sets }, code))
        }
    }
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
    let wait = args.wait.unwrap_or(context.config.run.wait);
    make_ledger(context, engine, wait).await?;
    if !ledger::set::is_registered(engine, &set.name).await? {
        ledger::set::register(engine, &set.name).await?;
    }
    session::lock(context, engine, &set.name, wait).await?;
    let result = apply_all(context, engine, set, args).await;
    if context.interrupt.raised() {
        context.interrupt.acknowledge();
    }
    let _ = engine.rollback().await;
    session::unlock(engine, &set.name).await;
    result
}

/// Makes dashagg's own tables, or brings those of an older dashagg to this version.
async fn make_ledger(context: &Context, engine: &mut dyn Engine, wait: Duration) -> Result<()> {
    let before = Ledger::look(engine).await?;
    if let Ledger::Newer { program } = &before {
        return Err(ledger::newer(&engine.server().database, program).into());
    }
    if let Some(note) = engine.prepare_database().await? {
        tracing::info!("{note}");
    }
    if before == Ledger::Current {
        return Ok(());
    }
    let sets = if before == Ledger::Older { ledger::registered(engine).await? } else { Vec::new() };
    session::lock_ledger(context, engine, &sets, wait).await?;
    let made = ledger::make(engine).await;
    let _ = engine.rollback().await;
    if let Err(error) = engine.unlock().await {
        tracing::debug!("unlocking the ledger: {error}");
    }
    if made.is_ok() && before == Ledger::Older {
        tracing::info!("the ledger of an older dashagg was upgraded");
    }
    made
}

/// Refuses to begin where policies hide rows of a source.
async fn see_all(engine: &mut dyn Engine, set: &Set) -> Result<()> {
    let d = engine.dialect();
    if !d.has_policies() {
        return Ok(());
    }
    let looks = set.sources.iter().map(|source| format!("SELECT 1 FROM {} WHERE 1 = 0", source.sql(d)));
    match engine.query_each(&looks.collect::<Vec<_>>()).await {
        Err(error) if error.class == ErrorClass::Filtered => Err(error.into()),
        // What else there is to say about a source is said in words later.
        _ => Ok(()),
    }
}

async fn apply_all(
    context: &Context,
    engine: &mut dyn Engine,
    set: &Set,
    args: &CreateArgs,
) -> Result<SetCreated> {
    let mut created = SetCreated::new(set);
    see_all(engine, set).await?;
    ledger::publication::ensure(engine, &set.name, &set.summaries).await?;
    let applied = ledger::scripts::read(engine, &set.name).await?;
    ledger::scripts::refuse_drift(set, &applied)?;
    let pending = set
        .scripts
        .iter()
        .any(|script| !applied.iter().any(|known| known.version == script.version && known.complete));
    if pending {
        // A script may alter what they read; they are made anew below.
        let own = engine.server().schema.clone();
        for summary in set.summaries.iter().filter(|summary| summary.live) {
            let statements = live::drop_sql(engine.dialect(), &own, summary);
            ledger::in_write(engine, &statements).await?;
        }
    }
    let forgotten = objects::forgotten_sql(engine, set).await?;
    for sql in forgotten {
        ledger::in_write(engine, &[sql]).await?;
    }
    for script in &set.scripts {
        context.interrupt.check()?;
        let known = applied.iter().find(|known| known.version == script.version);
        if known.is_some_and(|known| known.complete) {
            continue;
        }
        scripts::apply(engine, set, script, known).await?;
        created.applied.push(script.file.clone());
    }
    if !args.skip_source_indexes {
        for missing in indexes::missing(engine, set).await? {
            context.interrupt.check()?;
            indexes::announce(engine, &missing).await?;
            for sql in &missing.sql {
                let adding = || format!("adding index {} to {}", missing.name, missing.table);
                engine.execute(sql).await.with_context(adding)?;
            }
            created.indexes.push(missing.name);
        }
    }
    let tables = inspect::tables(engine, set).await?;
    inspect::refuse_unfit(engine, set, &tables).await?;
    refute_claims(engine, set, &tables).await?;
    // Before the first build reads its snapshot, so that no change falls between the two.
    let types = inspect::summary_columns(&tables, set, &engine.server().schema);
    let sources = ledger::sources::read_all(engine, &set.name).await?;
    let found = Found { tables: &tables, sources: &sources, types: &types };
    tracking::ensure(engine, set, &found, tracking::By::Create).await?;
    lasting::Todo::of(engine, set).await?.apply(engine).await?;
    created.views = live::apply(engine, set).await?;
    let leftovers = tracking::leftovers_sql(engine, set).await?;
    ledger::in_write(engine, &leftovers).await?;
    let own = engine.server().schema.clone();
    for summary in &set.summaries {
        for confused in inspect::blanks::confused(engine.dialect(), &own, set, summary, &tables) {
            tracing::warn!(
                "values that end in a blank will be refused: {}. In a new script: {}",
                confused.words,
                confused.remedy
            );
        }
    }
    // Not worth failing for: the tables may still be half-way to what the SELECTs produce.
    match explain::warnings(engine, set).await {
        Ok(warnings) => warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => tracing::debug!("looking at the plans: {error:#}"),
    }
    tracking::applied(engine, set).await.iter().for_each(|warning| tracing::warn!("{warning}"));
    grants::apply(engine, set).await?;
    Ok(created)
}

/// What the manifest claims and the data refutes, before anything relies on it.
async fn refute_claims(engine: &mut dyn Engine, set: &Set, tables: &Tables) -> Result<()> {
    let members: Vec<usize> =
        (0..set.summaries.len()).filter(|at| set.summaries[*at].kind == Kind::Table).collect();
    let subset = set.subset(&members);
    match inspect::prepare(engine, &subset, tables).await {
        Ok(prepared) => {
            let all: Vec<usize> = (0..prepared.len()).collect();
            claims::refute(engine, &subset, &prepared, &all).await.map(drop)
        }
        // The tables may still be half-way to what the SELECTs produce; refresh will say so.
        Err(error) => {
            tracing::debug!("claims are not looked at: {error:#}");
            Ok(())
        }
    }
}

async fn dry_run(engine: &mut dyn Engine, set: &Set, args: &CreateArgs) -> Result<SetCreated> {
    let mut created = SetCreated::new(set);
    let before = Ledger::look(engine).await?;
    let (applied, tracked) = match &before {
        Ledger::Newer { program } => return Err(ledger::newer(&engine.server().database, program).into()),
        Ledger::Missing => (Vec::new(), Vec::new()),
        Ledger::Older | Ledger::Current => (
            ledger::scripts::read(engine, &set.name).await?,
            ledger::sources::read_all_of_any(engine, &set.name).await?,
        ),
    };
    if before != Ledger::Current {
        created.sql.extend(ledger::make_sql(engine).await?);
    }
    ledger::scripts::refuse_drift(set, &applied)?;
    let rules = engine.dialect().lex_rules();
    for script in &set.scripts {
        let known = applied.iter().find(|known| known.version == script.version);
        if known.is_some_and(|known| known.complete) {
            continue;
        }
        let statements = lexer::statements(&script.sql, rules);
        let skip = known.map_or(Ok(0), |known| scripts::resume_at(set, script, known, &statements))?;
        created.applied.push(script.file.clone());
        created.sql.extend(statements.into_iter().skip(skip));
    }
    if !args.skip_source_indexes {
        for missing in indexes::missing(engine, set).await? {
            created.indexes.push(missing.name);
            created.sql.extend(missing.sql);
        }
    }
    let tables = inspect::tables(engine, set).await?;
    let mut types = inspect::summary_columns(&tables, set, &engine.server().schema);
    if types.is_empty() {
        let computed = set.sources.iter().flat_map(|source| &source.partition);
        types.extend(computed.filter(|(_, expression)| expression.is_some()).map(|(name, _)| Column {
            name: name.clone(),
            sql_type: "TEXT /* or the type of the summary's column, once there is one */".to_owned(),
            text: true,
            integer: false,
            generated: false,
            nullable: true,
        }));
    }
    let found = Found { tables: &tables, sources: &tracked, types: &types };
    created.sql.extend(tracking::preview(engine, set, &found).await?);
    // Once there are tables: these have the columns of summaries, a live view names them.
    created.sql.extend(lasting::Todo::of(engine, set).await?.sql());
    if let Ok(views) = live::sql(engine, set).await {
        created.sql.extend(views.into_iter().flat_map(|(_, statements)| statements));
    }
    created.sql.extend(grants::sql(engine, set));
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
            if let Some(error) = &set.error {
                writeln!(out, "{}: failed: {error}", set.set)?;
                continue;
            }
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
            let done = self.sets.iter().filter(|set| set.error.is_none());
            let names: Vec<&str> = done.map(|set| set.set.as_str()).collect();
            writeln!(out, "next: dashagg refresh {}", names.join(" "))?;
        }
        Ok(())
    }
}
