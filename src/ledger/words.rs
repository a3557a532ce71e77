//! The words by which the ledger stores what is one of a few, each spelled in one place.

/// How much a run recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// Everything.
    Complete,
    /// Some partitions.
    Incremental,
    /// Nothing was published.
    None,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It published, or proved that there was nothing to publish.
    Ok,
    /// It published nothing, and its error says why.
    Failed,
    /// A signal ended it.
    Interrupted,
}

/// How far a script has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptState {
    /// Some of its statements have run.
    Applying,
    /// All of them.
    Applied,
}

/// How changes of a source are noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TrackMethod {
    /// Triggers note them.
    Triggers,
    /// A column of each row says when it was last written.
    Watermark,
    /// The last partitions always count as changed.
    Window,
    /// Each partition has a fingerprint.
    Fingerprint,
    /// Not at all.
    #[default]
    None,
}

macro_rules! words {
    ($type:ident, $what:literal: $($value:ident $word:literal),+) => {
        impl $type {
            /// The word that the ledger stores.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            /// What a stored word means; `None` if it is none of them.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)+ _ => None }
            }

            /// What a stored word should be, for the error about another one.
            pub(super) const WHAT: &str = $what;
        }
    };
}

words!(RunMode, "the mode of a run": Complete "complete", Incremental "incremental", None "none");
words!(RunEnd, "the end of a run": Ok "ok", Failed "failed", Interrupted "interrupted");
words!(
    TrackMethod, "a method of tracking":
    Triggers "triggers", Watermark "watermark", Window "window", Fingerprint "fingerprint", None "none"
);
words!(ScriptState, "the state of a script": Applying "applying", Applied "applied");

impl RunEnd {
    /// Whether its summaries were left as they were.
    pub fn has_failed(self) -> bool {
        self != Self::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_written() {
        for mode in [RunMode::Complete, RunMode::Incremental, RunMode::None] {
            assert_eq!(RunMode::parse(mode.as_str()), Some(mode));
        }
        for end in [RunEnd::Ok, RunEnd::Failed, RunEnd::Interrupted] {
            assert_eq!(RunEnd::parse(end.as_str()), Some(end));
        }
        let triggers = [TrackMethod::Triggers, TrackMethod::Watermark];
        let others = [TrackMethod::Window, TrackMethod::Fingerprint, TrackMethod::None];
        for method in triggers.into_iter().chain(others) {
            assert_eq!(TrackMethod::parse(method.as_str()), Some(method));
        }
        for state in [ScriptState::Applying, ScriptState::Applied] {
            assert_eq!(ScriptState::parse(state.as_str()), Some(state));
        }
        assert_eq!(RunEnd::parse("Ok"), None);
    }
}
