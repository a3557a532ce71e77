//! One run's way to the database: connect with advice in the error, hold a set's lock politely.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;

use crate::catalog::{Catalog, Selected, Set};
use crate::config::{Config, DatabaseTarget};
use crate::engine::{DbError, Dialect, Engine, ErrorClass, Shape};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::ledger::{self, Holder, Ledger, holder};
use crate::pause;
use crate::progress::Progress;

/// How long a holder whose process is known dead may take to vanish from the server.
const GHOST_PATIENCE: Duration = Duration::from_secs(15);

/// Opens a connection.
pub type Connect = for<'a> fn(&'a DatabaseTarget) -> BoxFuture<'a, Result<Box<dyn Engine>, DbError>>;

/// What the one match on the engine kind yields.
#[derive(Clone, Copy)]
pub struct Driver {
    /// The engine's text.
    pub dialect: &'static dyn Dialect,
    /// Opens a connection.
    pub connect: Connect,
}

/// A connection that the next step may use; it is put back where nothing went wrong.
pub type Spare = Option<Box<dyn Engine>>;

/// The spare connection, opened if there is none.
///
/// # Errors
/// Those of [`Context::connect`].
pub async fn connected<'a>(context: &Context, spare: &'a mut Spare) -> Result<&'a mut dyn Engine> {
    let engine = match spare.take() {
        Some(engine) => engine,
        None => context.connect_again(context.config.run.reconnect).await?,
    };
    Ok(spare.insert(engine).as_mut())
}

/// The sets that the arguments name. Where none is named and there are several: those that `create` has
/// registered in this database, or, before the first `create`, those whose sources are all there. Returns the
/// connection that this took.
///
/// # Errors
/// A name that does not exist; a database that fits no set.
pub async fn choose<'a>(
    context: &Context,
    catalog: &'a Catalog,
    arguments: &[String],
) -> Result<(Vec<Selected<'a>>, Spare)> {
    let (chosen, mut spare) = known(context, catalog, arguments).await?;
    if chosen.is_empty()
        && let Some(engine) = spare.as_deref_mut()
    {
        // Says what each set lacks.
        fitting(engine, catalog).await?;
    }
    Ok((chosen, spare))
}

/// The same, and no set at all where none fits.
///
/// # Errors
/// A name that does not exist; whatever the server says.
pub async fn known<'a>(
    context: &Context,
    catalog: &'a Catalog,
    arguments: &[String],
) -> Result<(Vec<Selected<'a>>, Spare)> {
    if !arguments.is_empty() || catalog.sets.len() < 2 {
        return Ok((catalog.select(arguments)?, None));
    }
    let mut boxed = context.connect().await?;
    let engine = boxed.as_mut();
    let registered = match Ledger::look(engine).await? {
        Ledger::Missing => Vec::new(),
        Ledger::Newer { program } => return Err(ledger::newer(&engine.server().database, &program).into()),
        Ledger::Older | Ledger::Current => ledger::registered(engine).await?,
    };
    let mut chosen: Vec<&'a Set> = catalog.sets.iter().filter(|set| registered.contains(&set.name)).collect();
    if chosen.is_empty() {
        chosen = fitting(engine, catalog).await.unwrap_or_default();
    }
    let selected = chosen.into_iter().map(|set| Selected { set, summaries: Vec::new() }).collect();
    Ok((selected, Some(boxed)))
}

/// The sets whose sources are all in this database.
///
/// # Errors
/// None is; the message names a table that each of them lacks.
pub async fn fitting<'a>(engine: &mut dyn Engine, catalog: &'a Catalog) -> Result<Vec<&'a Set>> {
    let mut fit = Vec::new();
    let mut lacks = Vec::new();
    for set in &catalog.sets {
        let mut missing = None;
        for source in &set.sources {
            if missing.is_none()
                && Shape::read(engine, source.schema.as_deref(), &source.table).await?.is_none()
            {
                missing = Some(source.table.clone());
            }
        }
        match missing {
            None => fit.push(set),
            Some(table) => {
                tracing::debug!("set {} is left out: there is no table {table}", set.name);
                lacks.push(format!("{} lacks table {table}", set.name));
            }
        }
    }
    if fit.is_empty() {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("no set finds its sources in {}: {}", engine.server().database, lacks.join(", ")),
        )
        .hint("check the connection; name the set that you mean; `--sql-dir` uses your own")
        .into());
    }
    Ok(fit)
}

/// Everything that the verbs share.
pub struct Context {
    /// Configuration.
    pub config: Config,
    /// The chosen engine.
    pub driver: Driver,
    /// Signals.
    pub interrupt: Interrupt,
    /// Progress on the terminal or in the log.
    pub progress: Progress,
    /// Nothing is printed on success.
    pub quiet: bool,
    /// The database was reached before, so that a failure to connect is one of the moment.
    pub connected: AtomicBool,
}

impl Context {
    /// Connects.
    ///
    /// # Errors
    /// Exit code 1, with the address and what to check; never the password.
    pub async fn connect(&self) -> Result<Box<dyn Engine>> {
        let target = &self.config.database;
        // A connection that is not made yet has nothing on the server to cancel.
        let engine = self.interrupt.or((self.driver.connect)(target)).await?.map_err(|error| {
            let failure =
                Failure::new(ExitCode::Failed, format!("cannot connect to {}: {error}", target.display()));
            match error.class {
                ErrorClass::Missing => {
                    failure.hint("create the database first, or correct its name in the URL")
                }
                _ if target.sqlite_path().is_some() => failure
                    .hint("check that the file exists and may be read and written; `dashagg demo` makes one"),
                _ => failure
                    .hint("check host, port, user and password (DASHAGG_PASSWORD, password_file), and TLS"),
            }
        })?;
        self.connected.store(true, Ordering::SeqCst);
        self.interrupt.watch(engine.as_ref());
        Ok(engine)
    }

    /// Connects; where this process was connected before, it keeps trying for `patience`: a server that restarts may
    /// refuse in many ways for some time.
    ///
    /// # Errors
    /// The last attempt's, with how often and how long it was tried.
    pub async fn connect_again(&self, patience: Duration) -> Result<Box<dyn Engine>> {
        if !self.connected.load(Ordering::SeqCst) {
            return self.connect().await;
        }
        let start = Instant::now();
        let mut tries = 0u32;
        loop {
            let error = match self.connect().await {
                Ok(engine) => return Ok(engine),
                Err(error) => error,
            };
            self.interrupt.check()?;
            tries += 1;
            let pause = Duration::from_millis(100 * 2u64.pow(tries.min(5)));
            if start.elapsed() + pause > patience {
                return Err(given_up(&error, tries, start.elapsed()).into());
            }
            if tries == 1 {
                let limit = humantime::format_duration(patience);
                tracing::warn!("{error:#}; trying to connect again for up to {limit}");
            }
            self.interrupt.or(tokio::time::sleep(pause)).await?;
        }
    }
}

/// The failure to connect again, with what was done against it.
fn given_up(error: &anyhow::Error, tries: u32, spent: Duration) -> Failure {
    let (code, message, hint) = Failure::of(error);
    let spent = humantime::format_duration(Duration::from_secs(spent.as_secs()));
    let times = if tries == 1 { "time".to_owned() } else { format!("times in {spent}") };
    let failure =
        Failure::new(code, format!("{message} (the connection was lost; tried again {tries} {times})"));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Takes the lock of a set, waiting at most `wait`, and records who holds it.
///
/// Returns the server's clock as of then; `None` where the lock is not really held, which is only in a test that forces it
/// open.
///
/// # Errors
/// Exit code 11 naming the holder.
pub async fn lock(
    context: &Context,
    engine: &mut dyn Engine,
    set: &str,
    wait: Duration,
) -> Result<Option<SystemTime>> {
    fail::fail_point!("no-lock", |_| Ok(None));
    let start = Instant::now();
    let mut told = false;
    let mut ghost_ended = false;
    loop {
        context.interrupt.check()?;
        // The lock has a connection of its own.
        let place = || format!("taking the lock of set {set} in {}", context.config.database.display());
        if let Some(session) = engine.try_lock(set).await.with_context(place)? {
            let now = first_answer(context, engine).await?;
            holder::record(engine, set, &Holder::me(ledger::stamp(now), session)).await?;
            return Ok(Some(now));
        }
        let holder = holder::holder(engine, set).await?;
        pause::at("judging");
        // Ourselves: a session that this process has given up, since its network was gone.
        let ghost = holder.as_ref().filter(|holder| holder.is_me() || holder.is_dead());
        if let Some(ghost) = ghost
            && !ghost_ended
        {
            // A killed client's statement runs on in the server and keeps the lock: nothing can publish
            // it any more, so end it rather than make the DBA wait. That session, whoever has the lock by now.
            tracing::warn!(
                "set {set}: the last run was killed or cut off; ending what it left in the server"
            );
            engine.end_session(set, &ghost.session).await?;
            ghost_ended = true;
        }
        let patience = if ghost.is_some() { wait.max(GHOST_PATIENCE) } else { wait };
        // The winner of a race records itself a moment after it took the lock.
        let patience = if holder.is_none() { patience.max(Duration::from_secs(3)) } else { patience };
        let who = || holder.as_ref().map_or("another run".to_owned(), Holder::to_string);
        if start.elapsed() >= patience {
            return Err(Failure::new(ExitCode::Locked, format!("set {set} is held by {}", who()))
                .hint("wait for it with --wait 60s")
                .into());
        }
        if !told && ghost.is_none() {
            let limit = humantime::format_duration(patience);
            tracing::info!("set {set} is held by {}; waiting up to {limit}", who());
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The server's clock, as the first thing that is asked beside the lock: a pooler with one session only has none left for it,
/// and would let us wait for minutes.
async fn first_answer(context: &Context, engine: &mut dyn Engine) -> Result<SystemTime> {
    let limit = context.config.database.connect_timeout;
    match tokio::time::timeout(limit, ledger::clock(engine)).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(
            ExitCode::Failed,
            format!(
                "no answer within connect_timeout ({}) once the lock was held",
                humantime::format_duration(limit)
            ),
        )
        .hint("a run needs two sessions at once, one of them for its lock: look at the network, or let the pooler have a larger pool")
        .into()),
    }
}

/// The lock for making and upgrading dashagg's own tables, which sets share.
const LEDGER: &str = "dashagg's own tables";

/// How long somebody else may take for that.
const LEDGER_PATIENCE: Duration = Duration::from_secs(10);

/// Takes the lock of the ledger, once no set is held: an older dashagg may be at work on one, whose run would fail.
///
/// # Errors
/// Exit code 11 naming the set that is held for longer than `wait`.
pub async fn lock_ledger(
    context: &Context,
    engine: &mut dyn Engine,
    sets: &[String],
    wait: Duration,
) -> Result<()> {
    let start = Instant::now();
    loop {
        context.interrupt.check()?;
        let mut held = None;
        for set in sets {
            if engine.is_locked(set).await? {
                held = Some(format!("set {set}"));
            }
        }
        let patience = if held.is_some() { wait } else { wait.max(LEDGER_PATIENCE) };
        if held.is_none() && engine.try_lock(LEDGER).await?.is_some() {
            return Ok(());
        }
        if start.elapsed() >= patience {
            let what = held.unwrap_or_else(|| LEDGER.to_owned());
            let message = format!("{what} is held by another run, which must end before the upgrade");
            return Err(Failure::new(ExitCode::Locked, message).hint("wait for it with --wait 60s").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Gives the lock back. Errors are only logged: the lock ends with the connection anyway.
pub async fn unlock(engine: &mut dyn Engine, set: &str) {
    if let Err(error) = engine.unlock().await {
        // The note of who holds it stays: it tells the next run which session to end.
        tracing::debug!("unlocking {set}: {error}");
        return;
    }
    if let Err(error) = holder::clear(engine, set).await {
        tracing::debug!("clearing the holder of {set}: {error}");
    }
}
