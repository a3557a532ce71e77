//! A `dashagg` that runs beside the test: watched while it runs, signalled, waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Client, Dashagg, Kind, TestDb};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Run {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<()>>,
    log: Arc<Mutex<String>>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub pid: u32,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn start(command: Dashagg) -> Self {
        let mut child = command.spawn();
        let mut out = child.stdout.take().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&log);
        Run {
            child,
            stdout: Some(std::thread::spawn(move || {
                let mut text = String::new();
                out.read_to_string(&mut text).unwrap();
                text
            })),
            stderr: Some(std::thread::spawn(move || {
                for line in err.lines() {
                    let mut log = shared.lock().unwrap();
                    log.push_str(&line.unwrap());
                    log.push('\n');
                }
            })),
            log,
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line on stderr.
    #[track_caller]
    pub fn until_log(&self, text: &str) {
        wait_until(|| self.log().contains(text), || format!("no '{text}' in:\n{}", self.log()));
    }

    /// The lock is taken and the plan made; with a pause at `staging`, nothing is computed yet.
    #[track_caller]
    pub fn until_staging(&self) {
        self.until_log(": started");
    }

    /// Everything is computed, nothing is published: the run has a pause at `publish`.
    #[track_caller]
    pub fn until_staged(&self) {
        self.until_log("stopped at publish");
    }

    /// The publishing transaction has passed the fence and holds its row: the run has a pause at `publishing` or `applying`.
    #[track_caller]
    pub fn until_publishing(&self, db: &TestDb) {
        let mut client = db.client();
        if db.kind == Kind::Sqlite {
            client.exec("PRAGMA busy_timeout = 0");
        }
        let stopped = || {
            ["publishing", "applying"].iter().any(|point| self.log().contains(&format!("stopped at {point}")))
        };
        wait_until(stopped, || format!("no publish:\n{}", self.log()));
        wait_until(|| holds_the_fence(db.kind, &mut client), || format!("no publish:\n{}", self.log()));
    }

    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    #[track_caller]
    pub fn end(mut self) -> Ended {
        let pid = self.child.id();
        let mut status = None;
        wait_until(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || format!("does not end:\n{}", self.log.lock().unwrap()),
        );
        let stdout = self.stdout.take().unwrap().join().unwrap();
        self.stderr.take().unwrap().join().unwrap();
        let status = status.unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0));
        Ended { pid, code, stdout, stderr: self.log() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A failed test must not leave a paused run behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert!(self.code == expected, "exit code {}, expected {expected}:\n{self:#?}", self.code);
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is no JSON: {e}\n{self:#?}"))
    }
}

/// `refresh --json` held at fail points.
pub fn held(db: &TestDb, arguments: &[&str], failpoints: &str) -> Run {
    Run::start(db.dashagg().args(["refresh", "--json"]).args(arguments).env("FAILPOINTS", failpoints))
}

/// A run that goes on when it is let go.
pub struct Gate(tempfile::TempPath);

impl Gate {
    pub fn open(self) {
        drop(self.0);
    }
}

/// `refresh --json` that stops at a fail point once, for as long as the test likes. `point`: `publish`, or `staging=3*off->` for
/// the fourth time that it gets there; others may stand in front, with a semicolon behind.
#[track_caller]
pub fn stopped(db: &TestDb, arguments: &[&str], point: &str) -> (Run, Gate) {
    stopped_at(db, db.dashagg().args(["refresh", "--json"]).args(arguments), point)
}

/// The same of any command.
#[track_caller]
pub fn stopped_at(db: &TestDb, command: Dashagg, point: &str) -> (Run, Gate) {
    let gate = tempfile::NamedTempFile::new_in(db.dir()).unwrap().into_temp_path();
    let equals = if point.ends_with("->") { "" } else { "=" };
    let failpoints = format!("{point}{equals}1*return({})", gate.display());
    let run = Run::start(command.env("FAILPOINTS", failpoints));
    let reached = gate.with_extension("reached");
    wait_until(|| reached.exists(), || format!("it does not get to {point}:\n{}", run.log()));
    (run, Gate(gate))
}

/// Inserted, updated and deleted rows over all summaries of a refresh.
pub fn changes(refresh: &Value) -> [u64; 3] {
    let summaries =
        refresh["sets"].as_array().unwrap().iter().flat_map(|s| s["summaries"].as_array().unwrap());
    summaries.fold([0; 3], |sum, summary| {
        let count = |name: &str| summary[name].as_u64().unwrap();
        [sum[0] + count("inserted"), sum[1] + count("updated"), sum[2] + count("deleted")]
    })
}

/// The state of each summary, as `status --json` shows it.
#[track_caller]
pub fn states(db: &TestDb) -> Vec<String> {
    let status = db.dashagg().args(["status", "--json"]).run().ok().json();
    let summaries = status["summaries"].as_array().unwrap();
    summaries.iter().map(|summary| summary["state"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub fn wait_until(mut done: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn holds_the_fence(kind: Kind, client: &mut Client) -> bool {
    let (begin, touch) = match kind {
        Kind::Sqlite => ("SELECT 1", "BEGIN IMMEDIATE"),
        _ => ("BEGIN", "SELECT generation FROM dashagg_set FOR UPDATE NOWAIT"),
    };
    client.exec(begin);
    let held = client.try_exec(touch).is_err();
    let _ = client.try_exec("ROLLBACK");
    held
}
