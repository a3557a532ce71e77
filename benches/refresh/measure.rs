//! Clocks, memory and readers.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::Dashagg;
use crate::sample::{Db, dashboards, thousands};

pub fn timed(what: impl FnOnce()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_secs_f64()
}

pub fn seconds(runs: usize, mut what: impl FnMut()) -> Vec<f64> {
    (0..runs).map(|_| timed(&mut what)).collect()
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Runs `dashagg` as a process of its own, from start to exit.
pub struct Runner {
    url: String,
    cwd: tempfile::TempDir,
    /// The most that any run took, in KiB.
    peak: Cell<u64>,
}

pub struct Run {
    pub code: i32,
    pub seconds: f64,
    pub stdout: String,
}

impl Runner {
    pub fn new(db: &Db) -> Self {
        Runner { url: db.url.clone(), cwd: tempfile::tempdir().unwrap(), peak: Cell::new(0) }
    }

    pub fn memory(&self) -> u64 {
        self.peak.get()
    }

    pub fn refresh(&self, args: &[&str]) -> Run {
        self.run(&[&["refresh", "--json"], args].concat())
    }

    pub fn run(&self, args: &[&str]) -> Run {
        let run = self.try_run(args);
        assert!(run.code == 0, "dashagg {args:?}: exit code {}\n{}", run.code, run.stdout);
        run
    }

    pub fn try_run(&self, args: &[&str]) -> Run {
        let command = Dashagg::new(self.cwd.path()).args(args).env("DASHAGG_DATABASE_URL", &self.url);
        let start = Instant::now();
        let child = command.spawn();
        let status = format!("/proc/{}/status", child.id());
        let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
        let (out, elapsed) = std::thread::scope(|scope| {
            // The kernel keeps the peak, so a late look sees an early one; at exit it is gone.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let now = fs::read_to_string(&status).ok().and_then(|text| high_water(&text));
                    peak.fetch_max(now.unwrap_or(0), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            let out = child.wait_with_output().unwrap();
            let elapsed = start.elapsed();
            done.store(true, Ordering::Relaxed);
            (out, elapsed)
        });
        self.peak.set(self.peak.get().max(peak.into_inner()));
        let mut stdout = String::from_utf8_lossy(&out.stdout).into_owned();
        let code = out.status.code().unwrap_or(-1);
        if code != 0 {
            stdout += &String::from_utf8_lossy(&out.stderr);
        }
        Run { code, seconds: elapsed.as_secs_f64(), stdout }
    }
}

fn high_water(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// One line of the main table.
pub struct Step {
    pub name: &'static str,
    seconds: Vec<f64>,
    changed: Vec<u64>,
    how: String,
}

impl Step {
    pub fn new(name: &'static str) -> Self {
        Step { name, seconds: Vec::new(), changed: Vec::new(), how: String::new() }
    }

    /// So many source rows were changed for the next run.
    pub fn changed(&mut self, rows: u64) {
        self.changed.push(rows);
    }

    pub fn add(&mut self, run: Run) {
        let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("refresh --json prints JSON");
        let set = &json["sets"][0];
        let written: u64 = set["summaries"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|summary| ["inserted", "updated", "deleted"].map(|what| &summary[what]))
            .filter_map(serde_json::Value::as_u64)
            .sum();
        assert!(
            written > 0 || self.changed.last().is_none_or(|changed| *changed == 0),
            "{}: rows were changed, but nothing was written",
            self.name
        );
        self.how =
            format!("{}, {} summary rows written", set["mode"].as_str().unwrap_or("?"), thousands(written));
        self.seconds.push(run.seconds);
    }

    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// How dashagg did it the last time, and on how many changed rows.
    pub fn how(&self) -> String {
        match self.changed.last() {
            Some(changed) => format!("{} source rows: {}", thousands(*changed), self.how),
            None => self.how.clone(),
        }
    }
}

/// What writers and administrators pay.
#[derive(Default)]
pub struct Costs {
    pub create: f64,
    pub load_rows: u64,
    pub plain: Vec<f64>,
    pub tracked: Vec<f64>,
    pub after_load: Vec<f64>,
    pub after_delete: Vec<f64>,
}

/// What a reader saw that looped over the brand totals, and over the comparison of two tiers.
#[derive(Default)]
pub struct Reading {
    /// Milliseconds of each reading of the brand totals.
    pub milliseconds: Vec<f64>,
    /// Empty or failed answers among them.
    pub holes: usize,
    /// Comparisons of brand and category total in one statement.
    pub comparisons: usize,
    /// Those that were not equal, or had nothing to compare.
    pub unequal: usize,
}

impl Reading {
    pub fn during(db: &Db, what: impl FnOnce()) -> Self {
        let done = AtomicBool::new(false);
        let [(_, _, totals), ..] = dashboards();
        let compare = "SELECT COUNT(*) FROM (SELECT \
            (SELECT SUM(amount) FROM financials_summary_monthly_brand WHERE marketplace = 'ALL') AS brand, \
            (SELECT SUM(amount) FROM financials_summary_monthly_category) AS category) t WHERE brand = category";
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reading = Reading::default();
                let mut client = db.client();
                loop {
                    let start = Instant::now();
                    let answer = client.try_rows(&totals);
                    reading.milliseconds.push(start.elapsed().as_secs_f64() * 1000.0);
                    reading.holes += usize::from(!answer.is_ok_and(|rows| !rows.is_empty()));
                    let answer = client.try_rows(compare);
                    reading.comparisons += 1;
                    reading.unequal += usize::from(!answer.is_ok_and(|rows| rows[0][0] == "1"));
                    // A dashboard pauses; a reader that never does measures only how two loops share a core.
                    std::thread::sleep(Duration::from_millis(1));
                    if done.load(Ordering::Relaxed) {
                        return reading;
                    }
                }
            });
            let stop = Stop(&done);
            what();
            drop(stop);
            reader.join().expect("the reader failed")
        })
    }

    pub fn merge(&mut self, other: Reading) {
        self.milliseconds.extend(other.milliseconds);
        self.holes += other.holes;
        self.comparisons += other.comparisons;
        self.unequal += other.unequal;
    }

    /// The slowest one in a hundred, and the slowest.
    pub fn p99_and_max(&self) -> (f64, f64) {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        (sorted[last * 99 / 100], sorted[last])
    }
}

/// Ends the reader even if what it watches panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
