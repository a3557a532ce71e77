//! The documented exit codes, as one type: scripts and monitoring depend on them.

/// What a run's exit code tells its caller.
///
/// | code | meaning |
/// |---|---|
/// | 0 | done, or nothing to do |
/// | 1 | failed, nothing published |
/// | 2 | usage, configuration or manifest |
/// | 3 | partly done: some sets failed, or a hook did |
/// | 4 | `verify` found differences |
/// | 5 | stale (`status --strict`) |
/// | 6 | drift: scripts or schema differ from what dashagg applied |
/// | 11 | another run holds the lock |
/// | 130 | interrupted (SIGINT), rolled back |
/// | 143 | terminated (SIGTERM), rolled back |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything asked for is done, or was already current.
    Ok = 0,
    /// The run failed and published nothing.
    Failed = 1,
    /// The command line, the configuration or a manifest is wrong.
    Usage = 2,
    /// Some sets were published and others failed, or a hook failed.
    Partial = 3,
    /// `verify` found rows or totals that differ.
    Differs = 4,
    /// `status --strict` found a summary older than its `max_age`.
    Stale = 5,
    /// Scripts, live schema or summary rows differ from what dashagg applied.
    Drift = 6,
    /// Another run holds the lock of the set.
    Locked = 11,
    /// SIGINT: cancelled and rolled back.
    Interrupted = 130,
    /// SIGTERM: cancelled and rolled back.
    Terminated = 143,
}

impl ExitCode {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}
