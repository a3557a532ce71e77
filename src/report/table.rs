//! Reports as plain aligned text: it must read well on a terminal and in cron's mail alike.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, Table, presets};

use super::{
    Difference, Key, Mode, RefreshReport, Report, RunStatus, Sample, State, StatusReport, SummaryRefresh,
    SummaryStatus, SummaryVerify, VerifyReport, json,
};
use crate::error::one_line;
use crate::words::safe::escaped;
use crate::words::{age_in_words, bytes_in_words, count, duration_in_words, printable, thousands};

/// Rows whose differences are printed per summary; all are counted.
const SAMPLE_ROWS: usize = 10;

impl Report for RefreshReport {
    fn table(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        let mut table = new_table(colour);
        for set in &self.sets {
            for summary in &set.summaries {
                table.add_row(refresh_row(&set.set, summary));
            }
            if set.summaries.is_empty() {
                table.add_row(vec![text_cell(&set.set), run_status_cell(set.status)]);
            }
        }
        align(&mut table, &[1, 3]);
        print(&table, out)?;
        for set in &self.sets {
            if let Some(error) = &set.error {
                writeln!(out, "{}: {}", set.set, one_line(error))?;
            }
        }
        for hook in &self.hooks {
            match &hook.error {
                Some(error) => writeln!(out, "{}: failed: {}", hook.hook, printable(error))?,
                None => writeln!(out, "{}: done", hook.hook)?,
            }
        }

        let took = duration_in_words(self.seconds);
        let summaries = self.sets.iter().flat_map(|set| &set.summaries);
        match self.status {
            RunStatus::Noop => writeln!(out, "Nothing to do: all summaries are current ({took})."),
            RunStatus::Ok | RunStatus::Partial => {
                let (mut inserted, mut updated, mut deleted) = (0, 0, 0);
                for summary in summaries.filter(|summary| summary.status == RunStatus::Ok) {
                    inserted += summary.inserted;
                    updated += summary.updated;
                    deleted += summary.deleted;
                }
                let partitions = self.sets.iter().map(|set| set.partitions).sum();
                let retries = self.sets.iter().map(|set| u64::from(set.retries)).sum();
                let retried = if retries > 0 {
                    format!(", {} retried", count(retries, "error"))
                } else {
                    String::new()
                };
                writeln!(
                    out,
                    "{} {} in {took}: {}{retried}.",
                    if self.status == RunStatus::Ok { "Refreshed" } else { "Partly refreshed" },
                    partitions_in_words(
                        &self.sets.iter().map(|set| set.mode).collect::<Vec<_>>(),
                        partitions
                    ),
                    changes(inserted, updated, deleted),
                )
            }
            RunStatus::Failed => writeln!(out, "Failed after {took}; nothing was published."),
        }
    }

    fn to_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json::refresh(self, out)
    }
}

impl Report for StatusReport {
    fn table(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        if self.summaries.is_empty() {
            return writeln!(out, "No summaries.");
        }
        let mut table = new_table(colour);
        table.set_header(["summary", "tier", "rows", "size", "refreshed", "pending", "state", "last run"]);
        for summary in &self.summaries {
            table.add_row(status_row(summary));
        }
        align(&mut table, &[1, 2, 3, 5]);
        print(&table, out)?;
        for summary in &self.summaries {
            let name = format!("{}.{}", summary.set, summary.name);
            if let Some(note) = &summary.note {
                writeln!(out, "{name}: {}", printable(note))?;
            }
            if let Some(due) = &summary.next_due {
                writeln!(out, "{name}: next due {due}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        Ok(())
    }

    fn to_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json::status(self, out)
    }
}

impl Report for VerifyReport {
    fn table(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        let mut table = new_table(colour);
        for summary in &self.summaries {
            table.add_row(verify_row(summary));
        }
        align(&mut table, &[]);
        print(&table, out)?;
        for summary in self.summaries.iter().filter(|summary| !summary.samples.is_empty()) {
            writeln!(out, "\n{}", summary.name)?;
            samples(summary, out)?;
        }

        if !self.conservation.is_empty() {
            writeln!(out, "\nconservation")?;
        }
        for wrong in &self.conservation {
            writeln!(
                out,
                "  {} {}  {}: expected {}, actual {}",
                wrong.summary,
                printable(&wrong.partition),
                printable(&wrong.column),
                value(wrong.expected.as_deref()),
                value(wrong.actual.as_deref())
            )?;
        }
        if self.conservation.is_empty() && self.totals_checked > 0 {
            writeln!(out, "conservation  ok ({} compared)", count(self.totals_checked, "total"))?;
        }
        Ok(())
    }

    fn to_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json::verify(self, out)
    }
}

fn refresh_row(set: &str, summary: &SummaryRefresh) -> Vec<Cell> {
    let name = text_cell(&format!("{set}.{}", summary.name));
    if summary.status == RunStatus::Failed {
        let why = summary.error.as_deref().map(one_line).unwrap_or_default();
        return vec![name, run_status_cell(summary.status), text_cell(&why)];
    }
    vec![
        name,
        Cell::new(summary.rows.map(|rows| count(rows, "row")).unwrap_or_default()),
        match summary.status {
            RunStatus::Noop => Cell::new("current"),
            _ => Cell::new(changes(summary.inserted, summary.updated, summary.deleted)),
        },
        Cell::new(duration_in_words(summary.seconds)),
    ]
}

fn status_row(summary: &SummaryStatus) -> Vec<Cell> {
    let unknown = || "–".to_owned();
    let refreshed = summary
        .age_seconds
        .map_or_else(unknown, |age| format!("{} ({} s)", age_in_words(age), thousands(age)));
    let last_run = summary.last_run.as_ref().map_or_else(unknown, |run| {
        let took = duration_in_words(run.seconds);
        match run.status {
            RunStatus::Failed => format!("{} failed, {took}", mode_word(run.mode)),
            RunStatus::Noop => format!("nothing to do, {took}"),
            _ => format!(
                "{}, {took}, {}",
                mode_word(run.mode),
                changes(run.inserted, run.updated, run.deleted)
            ),
        }
    });
    vec![
        text_cell(&format!("{}.{}", summary.set, summary.name)),
        Cell::new(summary.tier),
        Cell::new(summary.rows.map_or_else(unknown, thousands)),
        Cell::new(summary.bytes.map_or_else(unknown, bytes_in_words)),
        Cell::new(refreshed),
        Cell::new(pending(summary)),
        state_cell(summary.state),
        Cell::new(last_run),
    ]
}

/// How many partitions wait.
fn pending(summary: &SummaryStatus) -> String {
    if summary.pending_everything {
        return "all".to_owned();
    }
    let plus = if summary.pending_at_least { "+" } else { "" };
    summary.pending_partitions.map_or_else(|| "–".to_owned(), |count| format!("{}{plus}", thousands(count)))
}

fn verify_row(summary: &SummaryVerify) -> Vec<Cell> {
    let verdict = if summary.is_equal() {
        Cell::new("ok").fg(Color::Green)
    } else {
        Cell::new("differs").fg(Color::Red)
    };
    let mut words = count(summary.partitions_checked, "partition");
    if !summary.is_equal() {
        words.push_str(&format!(
            ", {} missing, {} extra, {} different",
            thousands(summary.missing),
            thousands(summary.extra),
            thousands(summary.different)
        ));
    }
    if summary.pending > 0 {
        words.push_str(&format!(", {} pending", thousands(summary.pending)));
    }
    vec![text_cell(&summary.name), verdict, Cell::new(words)]
}

/// One line per row, whatever the number of columns in which it differs.
fn samples(summary: &SummaryVerify, out: &mut dyn Write) -> io::Result<()> {
    let same_row = |a: &Sample, b: &Sample| a.kind == b.kind && a.key == b.key;
    let mut printed = 0;
    for row in summary.samples.chunk_by(same_row).take(SAMPLE_ROWS) {
        let Some(first) = row.first() else { continue };
        let kind = match first.kind {
            Difference::Missing => "missing",
            Difference::Extra => "extra",
            Difference::Different => "different",
        };
        write!(out, "  {kind:<9}  key: {}", key(&first.key))?;
        let mut separator = "  ";
        for sample in row {
            if let Some(column) = &sample.column {
                let (expected, actual) = (value(sample.expected.as_deref()), value(sample.actual.as_deref()));
                let column = printable(column);
                write!(out, "{separator}{column}: expected {expected}, actual {actual}")?;
                separator = "; ";
            }
        }
        writeln!(out)?;
        printed += 1;
    }
    let more = (summary.missing + summary.extra + summary.different).saturating_sub(printed);
    if more > 0 {
        writeln!(out, "  … and {} more", thousands(more))?;
    }
    Ok(())
}

fn key(key: &Key) -> String {
    let pairs =
        key.0.iter().map(|(column, text)| format!("{}={}", printable(column), value(text.as_deref())));
    pairs.collect::<Vec<_>>().join(" ")
}

fn value(text: Option<&str>) -> String {
    // Quoted, because a column may also hold the text "NULL".
    text.map_or_else(
        || "NULL".to_owned(),
        |text| {
            if text == "NULL" { "\"NULL\"".to_owned() } else { printable(text) }
        },
    )
}

/// A cell with words that are not ours: here, because the writer cannot tell the table's colours from theirs.
fn text_cell(text: &str) -> Cell {
    Cell::new(escaped(text))
}

fn changes(inserted: u64, updated: u64, deleted: u64) -> String {
    format!("+{} ~{} −{}", thousands(inserted), thousands(updated), thousands(deleted))
}

fn partitions_in_words(modes: &[Mode], partitions: u64) -> String {
    if modes.contains(&Mode::Complete) && partitions == 0 {
        "everything".to_owned()
    } else {
        count(partitions, "partition")
    }
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::None => "none",
        Mode::Incremental => "incremental",
        Mode::Complete => "complete",
    }
}

fn run_status_cell(status: RunStatus) -> Cell {
    match status {
        RunStatus::Ok => Cell::new("ok").fg(Color::Green),
        RunStatus::Noop => Cell::new("current"),
        RunStatus::Partial => Cell::new("partial").fg(Color::Yellow),
        RunStatus::Failed => Cell::new("failed").fg(Color::Red),
    }
}

fn state_cell(state: State) -> Cell {
    match state {
        State::Fresh => Cell::new("fresh").fg(Color::Green),
        State::Stale => Cell::new("stale").fg(Color::Yellow),
        State::Never => Cell::new("never").fg(Color::Yellow),
        State::Failed => Cell::new("failed").fg(Color::Red),
        State::Running => Cell::new("running").fg(Color::Cyan),
        State::Drifted => Cell::new("drifted").fg(Color::Red),
    }
}

fn new_table(colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // comfy-table would look at stdout itself, but `out` may be anything.
    table.force_no_tty();
    if colour {
        table.enforce_styling();
    }
    table
}

fn align(table: &mut Table, right: &[usize]) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn print(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    if table.is_empty() {
        return Ok(());
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
