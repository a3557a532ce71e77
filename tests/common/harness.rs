//! What runs the tests: each once per server of the list, with skips that are seen and a table of what the suites took.
//!
//! A test of `conformance!` has one name per server. A `#[test]` has one name; which servers it asks for is known when it
//! has run: it is run again until every listed server of those databases has had its turn.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::servers::{self, Server};
use super::{Kind, TestDb};

/// One registered test.
pub struct Case {
    /// With the program's name in front.
    pub path: &'static str,
    pub run: Run,
}

#[derive(Clone, Copy)]
pub enum Run {
    /// A `#[test]`: asks for databases itself.
    Once(fn()),
    /// A test of `conformance!`: gets a database of each server.
    Each(fn(&TestDb)),
}

inventory::collect!(Case);

// --- While a test runs -----------------------------------------------------------------------------------------------

/// The test of this thread.
#[derive(Default)]
struct Running {
    test: String,
    /// Those that had their turn before this one.
    had: BTreeSet<&'static str>,
    /// Instead of a turn, where the test is for one server.
    given: Option<&'static Server>,
    asked: BTreeMap<Kind, &'static Server>,
    said: String,
    skipping: bool,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}
static NOCAPTURE: AtomicBool = AtomicBool::new(false);

/// What a test that cannot run here unwinds with.
struct Skip(String);

/// Ends the test: not passed, not failed, and the reason is in the report.
pub fn skip(reason: String) -> ! {
    RUNNING.with_borrow_mut(|running| {
        if let Some(running) = running {
            running.skipping = true;
        }
    });
    resume_unwind(Box::new(Skip(reason)))
}

/// Whether the test ends because it was skipped, so that it leaves nothing for a look.
pub fn skipping() -> bool {
    RUNNING.with_borrow(|running| running.as_ref().is_some_and(|running| running.skipping))
}

/// A line of a test's own, shown if it fails.
pub fn say(line: &str) {
    let kept = !NOCAPTURE.load(Ordering::Relaxed)
        && RUNNING.with_borrow_mut(|running| match running {
            Some(running) => writeln!(running.said, "{line}").is_ok(),
            None => false,
        });
    if !kept {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// The server of this kind whose turn it is.
pub fn server(kind: Kind) -> &'static Server {
    let chosen = RUNNING.with_borrow_mut(|running| {
        let Some(running) = running else {
            let mut all = servers::of(kind, "");
            let first = all.next();
            assert!(
                all.next().is_none(),
                "several servers, and this thread is no test's: hand it a database"
            );
            return first;
        };
        let given = running.given.filter(|server| server.kind == kind);
        let mine = || servers::of(kind, &running.test);
        let next = || mine().find(|server| !running.had.contains(server.name.as_str()));
        // Asked twice in one turn: the same; all had their turn, and another database's goes on: the first.
        let chosen =
            given.or_else(|| running.asked.get(&kind).copied()).or_else(next).or_else(|| mine().next());
        if let Some(server) = chosen {
            running.asked.insert(kind, server);
        }
        chosen
    });
    chosen.unwrap_or_else(|| servers::missing(kind))
}

// --- One test --------------------------------------------------------------------------------------------------------

enum Ended {
    Passed,
    Skipped(String),
    Failed(String),
}

fn attempt(running: Running, body: impl FnOnce()) -> (Running, Ended) {
    RUNNING.set(Some(running));
    let result = catch_unwind(AssertUnwindSafe(body));
    let running = RUNNING.take().unwrap_or_default();
    let ended = match result {
        Ok(()) => Ended::Passed,
        Err(payload) => match payload.downcast::<Skip>() {
            Ok(skip) => Ended::Skipped(skip.0),
            Err(payload) => Ended::Failed(failure(&running, &*payload)),
        },
    };
    (running, ended)
}

fn failure(running: &Running, payload: &(dyn Any + Send)) -> String {
    let on: Vec<String> = running.asked.values().map(|server| server.describe()).collect();
    let mut text = if on.is_empty() { String::new() } else { format!("on {}\n", on.join(", ")) };
    text.push_str(&running.said);
    // Handed on from another thread, which has shown it.
    if !running.said.contains("panicked") {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        text.push_str(message.or(payload.downcast_ref::<&str>().copied()).unwrap_or("no message"));
    }
    text
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// What became of one test.
#[derive(Default)]
struct Turns {
    /// The servers of each turn, and how it ended.
    all: Vec<(BTreeMap<Kind, &'static Server>, Outcome)>,
    skips: Vec<String>,
    failed: Option<String>,
}

impl Turns {
    fn add(&mut self, asked: BTreeMap<Kind, &'static Server>, ended: Ended) {
        let outcome = match ended {
            Ended::Passed => Outcome::Passed,
            Ended::Failed(why) => {
                self.failed = Some(why);
                Outcome::Failed
            }
            Ended::Skipped(reason) => {
                self.skips.push(reason);
                Outcome::Skipped
            }
        };
        self.all.push((asked, outcome));
    }

    fn ran(&self) -> impl Iterator<Item = &BTreeMap<Kind, &'static Server>> {
        self.all.iter().filter(|(_, outcome)| *outcome != Outcome::Skipped).map(|(servers, _)| servers)
    }
}

/// All turns of one `#[test]`, up to the first that fails.
fn once(test: &str, body: fn()) -> Turns {
    let (mut turns, mut had, mut kinds) = (Turns::default(), BTreeSet::new(), BTreeSet::new());
    loop {
        let start = Running { test: test.to_owned(), had: had.clone(), ..Running::default() };
        let (running, ended) = attempt(start, body);
        let before = had.len();
        had.extend(running.asked.values().map(|server| server.name.as_str()));
        // A turn that was skipped at one database may not have come to the next: remember which were asked for ever.
        kinds.extend(running.asked.keys().copied());
        turns.add(running.asked, ended);
        let left =
            kinds.iter().flat_map(|kind| servers::of(*kind, test)).any(|s| !had.contains(s.name.as_str()));
        if turns.failed.is_some() || !left || had.len() == before {
            return turns;
        }
    }
}

fn each(test: &str, given: Option<&'static Server>, kind: Kind, body: fn(&TestDb)) -> Turns {
    let running = Running { test: test.to_owned(), given, ..Running::default() };
    let (running, ended) = attempt(running, || body(&TestDb::new(kind)));
    let mut turns = Turns::default();
    turns.add(running.asked, ended);
    turns
}

// --- The report ------------------------------------------------------------------------------------------------------

#[derive(Default)]
struct Suite {
    tests: usize,
    failed: usize,
    skipped: usize,
    /// More than tests, where a test has a turn on several servers.
    runs: usize,
    busy: Duration,
    from_to: Option<(Instant, Instant)>,
}

#[derive(Default)]
struct Report {
    suites: BTreeMap<String, Suite>,
    skips: BTreeMap<String, usize>,
    servers: BTreeMap<&'static str, usize>,
    /// By server and suite: turns by how they ended.
    cells: BTreeMap<(&'static str, String), BTreeMap<Outcome, usize>>,
}

static REPORT: Mutex<Option<Report>> = Mutex::new(None);

fn record(suite: &str, start: Instant, turns: &Turns) {
    let mut report = REPORT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let report = report.get_or_insert_default();
    for reason in &turns.skips {
        *report.skips.entry(reason.clone()).or_default() += 1;
    }
    for server in turns.ran().flat_map(|servers| servers.values()) {
        *report.servers.entry(&server.name).or_default() += 1;
    }
    for (servers, outcome) in &turns.all {
        for server in servers.values() {
            let cell = report.cells.entry((&server.name, suite.to_owned())).or_default();
            *cell.entry(*outcome).or_default() += 1;
        }
    }
    let suite = report.suites.entry(suite.to_owned()).or_default();
    let now = Instant::now();
    suite.tests += 1;
    suite.runs += turns.ran().count();
    suite.failed += usize::from(turns.failed.is_some());
    suite.skipped += usize::from(turns.ran().next().is_none());
    suite.busy += now - start;
    suite.from_to = Some(suite.from_to.map_or((start, now), |(from, to)| (from.min(start), to.max(now))));
}

/// One line for each suite, server, both together and reason to skip, fields between tabs: `tests/run` makes one table of all programs.
fn lines(report: &Report) -> String {
    let mut out = String::new();
    for (name, suite) in &report.suites {
        let Suite { tests, runs, failed, skipped, busy, from_to } = suite;
        let took = from_to.map_or(Duration::ZERO, |(from, to)| to - from);
        let passed = tests - failed - skipped;
        let (busy, took) = (busy.as_secs_f64(), took.as_secs_f64());
        let _ = writeln!(
            out,
            "suite\t{name}\t{tests}\t{passed}\t{failed}\t{skipped}\t{runs}\t{busy:.1}\t{took:.1}"
        );
    }
    for server in servers::list() {
        if let Some(runs) = report.servers.get(server.name.as_str()) {
            let _ = writeln!(out, "server\t{}\t{runs}", server.describe());
        }
    }
    for ((server, suite), cell) in &report.cells {
        let [passed, failed, skipped] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped]
            .map(|outcome| cell.get(&outcome).copied().unwrap_or_default());
        let _ = writeln!(out, "cell\t{server}\t{suite}\t{passed}\t{failed}\t{skipped}");
    }
    for (reason, times) in &report.skips {
        let _ = writeln!(out, "skipped\t{reason}\t{times}");
    }
    out
}

fn publish() {
    let report = REPORT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Some(report) = report.as_ref() else { return };
    let text = lines(report);
    if let Some(path) = std::env::var_os("DASHAGG_TEST_REPORT") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
        return;
    }
    // Without `tests/run`: what must not go unseen.
    for line in text.lines().filter(|line| !line.starts_with("suite") && !line.starts_with("cell")) {
        let _ = writeln!(std::io::stdout(), "{}", line.replace('\t', ": "));
    }
}

// --- The program -----------------------------------------------------------------------------------------------------

/// Of every program of integration tests.
pub fn main() -> ExitCode {
    let (mut arguments, filters) = arguments();
    let mut trials = trials();
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    let exact = arguments.exact;
    trials.retain(|trial| {
        let wanted =
            |filter: &String| if exact { trial.name() == filter } else { trial.name().contains(filter) };
        filters.is_empty() || filters.iter().any(wanted)
    });
    if arguments.test_threads.is_none() {
        arguments.test_threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|n| n.parse().ok());
    }
    NOCAPTURE.store(arguments.nocapture, Ordering::Relaxed);
    keep_panics();
    let conclusion = libtest_mimic::run(&arguments, trials);
    publish();
    conclusion.exit_code()
}

/// The standard options, and as many filters as one likes: `libtest_mimic` takes one.
fn arguments() -> (Arguments, Vec<String>) {
    let (mut options, mut filters) = (Vec::new(), Vec::new());
    let mut all = std::env::args();
    options.extend(all.next());
    while let Some(argument) = all.next() {
        let takes_value = ["--test-threads", "--skip", "--logfile", "--color", "--format", "-Z"];
        if takes_value.contains(&argument.as_str()) {
            options.push(argument);
            options.extend(all.next());
        } else if argument.starts_with('-') {
            options.push(argument);
        } else {
            filters.push(argument);
        }
    }
    (Arguments::from_iter(options), filters)
}

/// A panic of a test is part of its report; one of another thread is shown at once.
fn keep_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let trace = Backtrace::capture(); // if RUST_BACKTRACE asks for it
        let kept = RUNNING.with_borrow_mut(|running| match running {
            Some(running) if trace.status() == BacktraceStatus::Captured => {
                writeln!(running.said, "{info}\n{trace}").is_ok()
            }
            Some(running) => writeln!(running.said, "{info}").is_ok(),
            None => false,
        });
        if !kept {
            default(info);
        }
    }));
}

fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in inventory::iter::<Case> {
        let (program, test) = case.path.split_once("::").unwrap_or((case.path, case.path));
        // In the program of many modules, a module is a suite.
        let suite = if program == "all" { test.split("::").next().unwrap_or(test) } else { program };
        match case.run {
            Run::Once(body) => trials.push(trial(suite, test.to_owned(), move || once(test, body))),
            Run::Each(body) => {
                for kind in Kind::ALL {
                    let mut servers: Vec<_> = servers::of(kind, test).map(Some).collect();
                    if servers.is_empty() {
                        servers.push(None); // and it says so
                    }
                    for server in servers {
                        let end = server.map_or(kind.name(), |server| server.name.as_str());
                        trials.push(trial(suite, format!("{test}::{end}"), move || {
                            each(test, server, kind, body)
                        }));
                    }
                }
            }
        }
    }
    trials
}

fn trial(suite: &'static str, name: String, body: impl FnOnce() -> Turns + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        let start = Instant::now();
        let turns = body();
        record(suite, start, &turns);
        match turns.failed {
            Some(why) => Err(Failed::from(why)),
            None if turns.ran().next().is_none() => Ok(Completion::ignored_with(turns.skips.join("; "))),
            None => Ok(Completion::Completed),
        }
    })
}
