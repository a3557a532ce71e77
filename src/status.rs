//! `dashagg status`: what the ledger says, without touching a summary or a source. Needs only SELECT.

use std::time::SystemTime;

use anyhow::Result;

use crate::catalog::{Catalog, Kind, Method, Selected, Set, Summary};
use crate::cli::StatusArgs;
use crate::engine::{Dialect, Engine, Tx};
use crate::exit_code::ExitCode;
use crate::ledger::{self, Ledger, RunMode, SetState, SummaryState};
use crate::report::{LastRun, Mode, RunStatus, State, StatusReport, SummaryStatus};
use crate::session::{self, Context};
use crate::tracking::{self, Pending};
use crate::words;

/// Reads the state of the selected summaries.
///
/// # Errors
/// A database of an older dashagg, before `create`; whatever the server says. One without a ledger is no error, its
/// summaries were just never built.
pub async fn run(
    context: &Context,
    catalog: &Catalog,
    args: &StatusArgs,
) -> Result<(StatusReport, ExitCode)> {
    let (selected, spare) = session::known(context, catalog, &args.select).await?;
    let mut engine = match spare {
        Some(engine) => engine,
        None => context.connect().await?,
    };
    let engine = engine.as_mut();
    let set_up = set_up(engine).await?;
    let mut summaries = Vec::new();
    for selected in &selected {
        summaries.extend(of_set(engine, selected, set_up, args.exact).await?);
    }
    let fresh = !summaries.is_empty() && summaries.iter().all(|summary| summary.settled == State::Fresh);
    let code = if args.strict && !fresh { ExitCode::Stale } else { ExitCode::Ok };
    let mut warnings = open_doors(engine).await?;
    for selected in &selected {
        warnings.extend(unseen(engine, selected.set, set_up).await?);
    }
    Ok((StatusReport { summaries, warnings }, code))
}

/// Changes of sources that triggers do not see, although they are to.
async fn unseen(engine: &mut dyn Engine, set: &Set, set_up: bool) -> Result<Vec<String>> {
    let mut warnings = tracking::applied(engine, set).await;
    let known = if set_up { ledger::sources::read_all(engine, &set.name).await? } else { Vec::new() };
    for known in known.iter().filter(|known| known.is_unwatched()) {
        warnings.push(format!(
            "{}.{}: triggers are missing or out of date, so that each refresh is complete: run `dashagg create {}` as the \
             user who made them or owns the table, then refresh",
            set.name, known.source, set.name
        ));
    }
    Ok(warnings)
}

/// Whether there is a ledger to read. An older dashagg's is none, but its open doors are named before that is said.
async fn set_up(engine: &mut dyn Engine) -> Result<bool> {
    match Ledger::look(engine).await? {
        Ledger::Current => return Ok(true),
        Ledger::Older => {
            open_doors(engine).await?.iter().for_each(|warning| tracing::warn!("{warning}"));
            return Err(ledger::older(&engine.server().database).into());
        }
        Ledger::Newer { program } => return Err(ledger::newer(&engine.server().database, &program).into()),
        Ledger::Missing => {
            let database = &engine.server().database;
            tracing::warn!("dashagg has not been set up in {database}: run `dashagg create`");
        }
    }
    Ok(false)
}

/// What lets in whoever should not be: objects of an older dashagg, and rights that nobody took away.
async fn open_doors(engine: &mut dyn Engine) -> Result<Vec<String>> {
    let schema = engine.server().schema.clone();
    let Some(sql) = engine.dialect().open_doors_sql(&schema) else { return Ok(Vec::new()) };
    let rows = engine.query(&sql).await?;
    let doors = rows.into_iter().map(|row| {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    });
    Ok(doors
        .map(|(kind, name)| match kind.as_str() {
            "function" => format!(
                "others may run code as the owner of function {name}: run `dashagg create`, which makes it anew"
            ),
            "mute" => format!(
                "writes to its source fail, since the owner of function {name} may not write its log: run `dashagg create`"
            ),
            _ => format!(
                "any user may make functions and operators in schema {name}, where SELECTs find them: \
                 REVOKE CREATE ON SCHEMA {name} FROM PUBLIC"
            ),
        })
        .collect())
}

async fn of_set(
    engine: &mut dyn Engine,
    selected: &Selected<'_>,
    set_up: bool,
    exact: bool,
) -> Result<Vec<SummaryStatus>> {
    let set = selected.set;
    let observed = match set_up {
        true => Observed::read(engine, set).await?,
        false => Observed::nothing(engine.dialect(), set),
    };
    let mut out = Vec::new();
    for index in (0..set.summaries.len()).filter(|index| selected.includes(*index)) {
        let rows = observed.rows(engine, &set.summaries[index], exact).await?;
        let pending = observed.pending(engine, set, index).await;
        out.push(observed.status(set, &set.summaries[index], rows, pending.as_ref()));
    }
    Ok(out)
}

/// What is known of a set at one moment.
struct Observed {
    /// By the server's clock, where there is a ledger.
    now: SystemTime,
    /// What the ledger has of it.
    state: Option<SetState>,
    /// Its scripts are not those that were applied.
    drifted: bool,
    /// Some run has locked it.
    running: bool,
    /// What of its tables waits; `None`: nothing tells.
    waiting: Option<Pending>,
    /// How its sources are tracked.
    tracking: String,
}

impl Observed {
    /// Where there is no ledger.
    fn nothing(dialect: &dyn Dialect, set: &Set) -> Self {
        let (now, tracking) = (SystemTime::now(), describe(dialect, set));
        Self { now, state: None, drifted: false, running: false, waiting: None, tracking }
    }

    async fn read(engine: &mut dyn Engine, set: &Set) -> Result<Self> {
        engine.begin(Tx::Read).await?;
        let now = ledger::clock(engine).await?;
        let mut state = SetState::read(engine, &set.name).await?;
        if let (Some(state), Some(sql)) = (&mut state, SetState::lost_query(engine, &set.summaries)) {
            state.note_lost(&set.summaries, engine.query(&sql).await?);
        }
        let applied = ledger::scripts::read(engine, &set.name).await?;
        let drifted = ledger::scripts::refuse_drift(set, &applied).is_err();
        let running = engine.is_locked(&set.name).await?;
        engine.commit().await?;
        let waiting = tracking::pending(engine, set).await.ok();
        let tracking = describe(engine.dialect(), set);
        Ok(Self { now, state, drifted, running, waiting, tracking })
    }

    fn known(&self, summary: &Summary) -> Option<&SummaryState> {
        self.state.as_ref().and_then(|state| state.summary(&summary.name))
    }

    /// Rows of a summary, as its last publish counted them or, `exact`, counted now.
    async fn rows(&self, engine: &mut dyn Engine, summary: &Summary, exact: bool) -> Result<Option<u64>> {
        let known = self.known(summary);
        if !exact || known.is_none_or(|known| known.published_at.is_none()) {
            return Ok(known.and_then(|known| known.rows));
        }
        let table = summary.target(engine.dialect(), &engine.server().schema.clone());
        let count = engine.scalar(&format!("SELECT COUNT(*) FROM {table}")).await?;
        Ok(count.and_then(|count| count.parse().ok()))
    }

    /// What waits for the next refresh of a summary; `None`: nothing tells.
    async fn pending(&self, engine: &mut dyn Engine, set: &Set, index: usize) -> Option<Pending> {
        let summary = &set.summaries[index];
        match (summary.kind, self.known(summary)) {
            (Kind::Table, _) => self.waiting.clone(),
            (Kind::MaterializedView, Some(known)) if known.changes > known.changes_done => {
                Some(Pending { everything: true, ..Default::default() })
            }
            (Kind::MaterializedView, _) => tracking::pending(engine, &set.subset(&[index])).await.ok(),
        }
    }

    /// Seconds since the content of a summary was last known to be current. A run that found nothing to do proves that,
    /// without publishing anything.
    fn age(&self, summary: &Summary) -> Option<f64> {
        let known = self.known(summary);
        let published = known.and_then(|known| known.published_at.as_deref());
        let checked = match summary.kind {
            Kind::Table => self.state.as_ref().and_then(|state| state.checked_at.as_deref()),
            Kind::MaterializedView => known.and_then(|known| known.served_at.as_deref()),
        };
        ledger::age(published.max(checked.filter(|_| published.is_some())), self.now)
    }

    /// All that is said of a summary without asking the database again.
    fn status(
        &self,
        set: &Set,
        summary: &Summary,
        rows: Option<u64>,
        pending: Option<&Pending>,
    ) -> SummaryStatus {
        let state = self.state.as_ref();
        let known = self.known(summary);
        let age = self.age(summary);
        let settled = judge(summary, state, known, age, self.drifted, set.groups().len() > 1);
        let of_table = pending.filter(|_| summary.kind == Kind::Table);
        SummaryStatus {
            set: set.name.clone(),
            name: summary.name.clone(),
            table: summary.table.clone(),
            kind: summary.kind.as_str().to_owned(),
            tier: summary.tier,
            rows,
            bytes: known.and_then(|known| known.bytes),
            refreshed_at: known.and_then(|known| known.published_at.clone()),
            age_seconds: age.map(|age| age as u64),
            pending_partitions: pending.and_then(|pending| match summary.kind {
                Kind::MaterializedView => Some(u64::from(!pending.is_empty())),
                Kind::Table => (!pending.everything).then_some(pending.partitions.len() as u64),
            }),
            pending_at_least: of_table.is_some_and(|pending| pending.more && !pending.everything),
            pending_everything: of_table.is_some_and(|pending| pending.everything),
            next_due: summary.schedule.as_ref().map(|schedule| {
                let due = schedule.is_due(known.and_then(SummaryState::served), self.now);
                ledger::stamp(if due { schedule.last(self.now) } else { schedule.next(self.now) })
            }),
            note: note(summary, known, age),
            state: if self.running { State::Running } else { settled },
            settled,
            tracking: Some(self.tracking.clone()),
            last_run: known.and_then(|known| last_run(state, known)),
        }
    }
}

/// How each source is tracked, and what that cannot see.
fn describe(dialect: &dyn Dialect, set: &Set) -> String {
    set.sources
        .iter()
        .map(|source| {
            let (how, blind) = match &source.track {
                Method::Triggers => ("triggers".to_owned(), dialect.blind_spots()),
                Method::Watermark { column, .. } => {
                    (format!("watermark {column}"), "deletes, and rows whose old partition was another")
                }
                Method::Window(count) => {
                    (format!("window of {count} partitions"), "changes of older partitions")
                }
                Method::Fingerprint => ("fingerprint".to_owned(), "nothing"),
                Method::Untracked => ("none, always complete".to_owned(), "nothing"),
            };
            format!("{}: {how} (does not see: {blind})", source.name)
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn judge(
    summary: &Summary,
    state: Option<&SetState>,
    known: Option<&SummaryState>,
    age: Option<f64>,
    drifted: bool,
    several: bool,
) -> State {
    let last_failed =
        state.and_then(|state| state.last_run.as_ref()).is_some_and(|run| run.status.has_failed());
    // The set's last run may have been about its other summaries, and one that found nothing to do leaves none.
    let failed = match known.filter(|known| known.status.is_some()) {
        Some(known) => known.has_failed(),
        None => last_failed && !several,
    };
    let edited =
        known.is_some_and(|known| known.published_at.is_some() && known.select_checksum != summary.checksum);
    if drifted || edited {
        State::Drifted
    } else if failed {
        State::Failed
    } else if age.is_none() {
        State::Never
    } else if over(summary, known, age).is_some() {
        State::Stale
    } else {
        State::Fresh
    }
}

/// Seconds by which a refresh may seem to lie ahead without anything being wrong.
const AHEAD: f64 = 60.0;

/// Which of the summary's thresholds is passed, in words.
fn over(summary: &Summary, known: Option<&SummaryState>, age: Option<f64>) -> Option<String> {
    let known = known?;
    if known.lost {
        return Some(
            "its table is empty: a crash of the server empties what is UNLOGGED; run dashagg refresh"
                .to_owned(),
        );
    }
    if age.is_some_and(|age| age < -AHEAD) {
        return Some(
            "refreshed at a moment that is still to come: was the server's clock put back?".to_owned(),
        );
    }
    if let (Some(age), Some(limit)) = (age, summary.max_age)
        && age > limit.as_secs_f64()
    {
        return Some(format!("older than max_age ({})", humantime::format_duration(limit)));
    }
    if let (Some(seconds), Some(limit)) = (known.seconds, summary.max_duration)
        && seconds > limit.as_secs_f64()
    {
        let limit = humantime::format_duration(limit);
        return Some(format!("its last refresh took {seconds:.1} s, more than max_duration ({limit})"));
    }
    if let (Some(bytes), Some(limit)) = (known.bytes, summary.max_bytes)
        && bytes > limit
    {
        return Some(format!(
            "{} on disk, more than max_bytes ({})",
            words::bytes_in_words(bytes),
            words::bytes_in_words(limit)
        ));
    }
    None
}

/// What a DBA should know beside the state.
fn note(summary: &Summary, known: Option<&SummaryState>, age: Option<f64>) -> Option<String> {
    match known.filter(|known| known.has_failed()).and_then(|known| known.error.clone()) {
        Some(error) => Some(error),
        None => over(summary, known, age),
    }
}

fn told(mode: RunMode) -> Mode {
    match mode {
        RunMode::Complete => Mode::Complete,
        RunMode::Incremental => Mode::Incremental,
        RunMode::None => Mode::None,
    }
}

/// The last run that worked on the summary: a failed one if it came after the last publish.
fn last_run(state: Option<&SetState>, known: &SummaryState) -> Option<LastRun> {
    let latest = state.and_then(|state| state.last_run.as_ref());
    if let Some(run) = latest.filter(|run| Some(&run.run_id) != known.run_id.as_ref()) {
        return Some(LastRun {
            run_id: run.run_id.clone(),
            mode: told(run.mode),
            status: if run.status.has_failed() { RunStatus::Failed } else { RunStatus::Ok },
            seconds: run.seconds,
            inserted: 0,
            updated: 0,
            deleted: 0,
        });
    }
    Some(LastRun {
        run_id: known.run_id.clone()?,
        mode: known.mode.map_or(Mode::None, told),
        status: RunStatus::Ok,
        seconds: known.seconds.unwrap_or(0.0),
        inserted: known.inserted.unwrap_or(0),
        updated: known.updated.unwrap_or(0),
        deleted: known.deleted.unwrap_or(0),
    })
}
