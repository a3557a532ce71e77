//! The figures as Markdown, ready for BENCHMARKS.md.

use std::fmt;
use std::fs;
use std::process::Command;

use crate::measure::{Costs, Reading, Step, median};
use crate::sample::{Db, thousands};

pub struct Report {
    title: String,
    settings: String,
    pub asin_rows: String,
    /// Seconds of each run of the founding script.
    pub script: Vec<f64>,
    pub steps: Vec<Step>,
    /// What else there is to compare with: name and seconds.
    pub baselines: Vec<(String, f64)>,
    pub status: Vec<f64>,
    /// Name, and seconds on raw with the founding indexes, on raw with dashagg's, on summaries.
    pub dashboards: Vec<(&'static str, Vec<f64>)>,
    pub readers: Vec<(String, Reading)>,
    pub costs: Costs,
    /// KiB.
    pub memory: u64,
    pub verify: String,
}

impl Report {
    pub fn new(db: &Db, rows: u64) -> Self {
        Report {
            title: format!("### {}, {} source rows", db.version(), thousands(rows)),
            settings: db.settings(),
            asin_rows: String::new(),
            script: Vec::new(),
            steps: Vec::new(),
            baselines: Vec::new(),
            status: Vec::new(),
            dashboards: Vec::new(),
            readers: Vec::new(),
            costs: Costs::default(),
            memory: 0,
            verify: String::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asin_rows = self.asin_rows.parse().unwrap_or(0);
        writeln!(f, "{}\n", self.title)?;
        writeln!(f, "{} ASIN rows, 36 months. {}\n", thousands(asin_rows), self.settings)?;

        let script = median(&self.script);
        writeln!(f, "| refresh | TRUNCATE + INSERT | dashagg | ratio | how |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for step in &self.steps {
            let time = median(step.seconds());
            writeln!(
                f,
                "| {} | {} | **{}** | {} | {} |",
                step.name,
                duration(script),
                duration(time),
                ratio(script / time),
                step.how()
            )?;
        }

        writeln!(f, "\n| for comparison | time | against TRUNCATE + INSERT |\n|---|---|---|")?;
        for (name, time) in &self.baselines {
            writeln!(f, "| {name} | {} | {} |", duration(*time), ratio(script / time))?;
        }

        writeln!(
            f,
            "\n| dashboard query | raw, founding indexes | raw, dashagg's index | summaries | ratio |"
        )?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (name, times) in &self.dashboards {
            let [founding, covered, summary] = times[..] else { return Err(fmt::Error) };
            let times = [founding, covered, summary].map(duration).join(" | ");
            writeln!(f, "| {name} | {times} | {} |", ratio(founding / summary))?;
        }

        writeln!(f, "\n| a reader during | readings | p99 | slowest | empty | tiers disagree |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for (name, reading) in &self.readers {
            let (p99, max) = reading.p99_and_max();
            writeln!(
                f,
                "| {name} | {} | {p99:.1} ms | {max:.1} ms | {} | {} of {} |",
                thousands(reading.milliseconds.len() as u64),
                thousands(reading.holes as u64),
                thousands(reading.unequal as u64),
                thousands(reading.comparisons as u64)
            )?;
        }

        let costs = &self.costs;
        let (plain, tracked) = (median(&costs.plain), median(&costs.tracked));
        writeln!(f, "\n| cost | |\n|---|---|")?;
        if costs.load_rows > 0 {
            writeln!(
                f,
                "| bulk load of {} rows, tracked / untracked | {} / {} = **{:.2}** |",
                thousands(costs.load_rows),
                duration(tracked),
                duration(plain),
                tracked / plain
            )?;
            writeln!(f, "| refresh after that load | {} |", duration(median(&costs.after_load)))?;
            writeln!(f, "| refresh after deleting those rows | {} |", duration(median(&costs.after_delete)))?;
        }
        writeln!(f, "| `create` with its indexes (once) | {} |", duration(costs.create))?;
        writeln!(f, "| `dashagg status` | {} |", duration(median(&self.status)))?;
        #[allow(clippy::cast_precision_loss)]
        let memory = self.memory as f64 / 1024.0;
        writeln!(f, "| most memory that any `dashagg` process took | {memory:.1} MiB |")?;
        writeln!(f, "\n{}", self.verify)
    }
}

pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s.is_nan() => "not measured".into(),
        s if s < 0.0995 => format!("{:.1} ms", s * 1000.0),
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.995 => format!("{s:.2} s"),
        s => format!("{s:.1} s"),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}×") } else { format!("{ratio:.0}×") }
}

/// One line about where the figures come from.
pub fn machine() -> String {
    let first = |path: &str, key: &str| {
        fs::read_to_string(path).ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
    };
    let output = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).output().ok()?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let memory = first("/proc/meminfo", "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
        .map(|kib| format!("{} GiB memory", (kib + (1 << 19)) >> 20));
    let parts = [
        std::thread::available_parallelism().ok().map(|cores| format!("{cores} cores")),
        first("/proc/cpuinfo", "model name"),
        memory,
        output("uname", &["-sr"]),
        output(env!("CARGO_BIN_EXE_dashagg"), &["--version"]),
        cfg!(debug_assertions).then(|| "DEBUG BUILD".to_owned()),
    ];
    format!(
        "Machine: {}. Client and server share it.\n",
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    )
}
