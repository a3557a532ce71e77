//! Progress on stderr: a bar with an estimate on a terminal, now and then a log line elsewhere.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::colour_allowed;
use crate::words::safe::escaped;
use crate::words::{count, duration_in_words, thousands};

/// Often enough to see that a run is alive, seldom enough for a log.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a piece of work is; shared by reference between the tasks that do it.
#[derive(Debug)]
pub struct Progress {
    form: Form,
    work: Mutex<Option<Work>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Silent,
    Log,
    Bar,
}

#[derive(Debug)]
struct Work {
    label: String,
    total: u64,
    done: u64,
    started: Instant,
    logged: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Silent if `quiet`; a bar if stderr is a terminal and no program reads along (`json`); else log lines.
    #[must_use]
    pub fn new(quiet: bool, json: bool) -> Self {
        let form = match (quiet, json || !io::stderr().is_terminal()) {
            (true, _) => Form::Silent,
            (false, true) => Form::Log,
            (false, false) => Form::Bar,
        };
        Self { form, work: Mutex::new(None) }
    }

    /// Begins a piece of work of `total_steps` steps, ending the one before.
    pub fn start(&self, label: &str, total_steps: u64) {
        let bar = (self.form == Form::Bar).then(|| new_bar(label, total_steps));
        if self.form == Form::Log {
            tracing::info!("{label}: started, {}", count(total_steps, "step"));
        }
        let now = Instant::now();
        let work =
            Work { label: label.to_owned(), total: total_steps, done: 0, started: now, logged: now, bar };
        if let Some(Work { bar: Some(bar), .. }) = self.lock().replace(work) {
            bar.finish_and_clear();
        }
    }

    /// Reports `n` more steps done; nothing if no work was started.
    pub fn step(&self, n: u64) {
        let mut guard = self.lock();
        let Some(work) = guard.as_mut() else { return };
        work.done = work.done.saturating_add(n);
        if let Some(bar) = &work.bar {
            bar.set_position(work.done);
        }
        if self.form == Form::Log && work.logged.elapsed() >= LOG_EVERY {
            work.logged = Instant::now();
            tracing::info!("{}", log_line(work, work.started.elapsed().as_secs_f64()));
        }
    }

    /// Adds steps that turned out to be needed; nothing if no work was started.
    pub fn more(&self, n: u64) {
        let mut guard = self.lock();
        let Some(work) = guard.as_mut() else { return };
        work.total = work.total.saturating_add(n);
        if let Some(bar) = &work.bar {
            bar.set_length(work.total);
        }
    }

    /// Ends the work under the label given: the bar disappears, the log tells how long it took.
    pub fn finish(&self, label: &str) {
        let Some(work) = self.lock().take() else {
            return;
        };
        if let Some(bar) = &work.bar {
            bar.finish_and_clear();
        }
        if self.form == Form::Log {
            tracing::info!(
                "{label}: finished in {}",
                duration_in_words(work.started.elapsed().as_secs_f64())
            );
        }
    }

    /// Runs `print` with the bar out of the way, for other output to stderr; `print` must not call
    /// [`Progress::start`] or [`Progress::finish`], because the bar is locked meanwhile.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        // Cloned, so that other tasks can report steps while `print` is slow.
        let bar = self.lock().as_ref().and_then(|work| work.bar.clone());
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// A panic elsewhere leaves a counter, not a broken promise, so poison is ignored.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    /// A run that ends by an error leaves no half-drawn bar above its message.
    fn drop(&mut self) {
        if let Some(Work { bar: Some(bar), .. }) = self.lock().take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(label: &str, total: u64) -> ProgressBar {
    let template = if colour_allowed() {
        "{msg} {bar:30.cyan/blue} {percent:>3} %  {elapsed}, about {eta} left"
    } else {
        "{msg} {bar:30} {percent:>3} %  {elapsed}, about {eta} left"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style).with_message(escaped(label).into_owned());
    // Steps may be minutes apart; the clock must not look dead.
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn log_line(work: &Work, elapsed: f64) -> String {
    let (done, total) = (thousands(work.done), thousands(work.total));
    if work.done == 0 || work.total < work.done {
        return format!("{}: {done} of {total} steps", work.label);
    }
    let share = work.done as f64 / work.total as f64;
    let left = duration_in_words(elapsed / share - elapsed);
    format!("{}: {done} of {total} steps ({:.0} %), about {left} left", work.label, share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(done: u64, total: u64) -> Work {
        let now = Instant::now();
        Work { label: "financials".into(), total, done, started: now, logged: now, bar: None }
    }

    #[test]
    fn log_lines() {
        assert_eq!(log_line(&work(12, 36), 60.0), "financials: 12 of 36 steps (33 %), about 2 min 00 s left");
        assert_eq!(log_line(&work(0, 36), 60.0), "financials: 0 of 36 steps");
        assert_eq!(log_line(&work(3, 0), 60.0), "financials: 3 of 0 steps");
    }

    #[test]
    fn any_order_of_calls_is_harmless() {
        for form in [Form::Silent, Form::Log, Form::Bar] {
            let progress = Progress { form, work: Mutex::new(None) };
            progress.step(1);
            progress.finish("none");
            progress.start("a", 0);
            progress.step(u64::MAX);
            progress.step(1);
            progress.start("b", 2);
            progress.suspend(|| {});
        }
        assert_eq!(Progress::new(true, false).form, Form::Silent);
        assert_eq!(Progress::new(false, true).form, Form::Log);
    }
}
