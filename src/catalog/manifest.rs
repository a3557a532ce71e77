//! `summaries.toml` as the DBA writes it. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Engines that the set is made for (`mysql`, `postgres`, `sqlite`); default: all of them.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Schema of its sources and summaries; default: the connection's own.
    pub schema: Option<String>,
    /// Wake `refresh --watch` by NOTIFY from the change triggers, where the engine has that.
    #[serde(default)]
    pub notify: bool,
    /// Tables that the SELECTs read, by name.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceEntry>,
    /// Tables that dashagg keeps, by short name.
    pub summaries: BTreeMap<String, SummaryEntry>,
}

/// `[sources.<name>]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// The table's name in the database; default: the section's name.
    pub table: Option<String>,
    /// Columns, or expressions by column name, by which content is recomputed.
    #[serde(default)]
    pub partition: Partition,
    /// Aggregates over the source by the name of the summary column that must add up to them.
    #[serde(default)]
    pub totals: BTreeMap<String, String>,
    /// How changes are noticed: "triggers" (default), "fingerprint", "none", { watermark = "updated_at",
    /// overlap = "1h" } or { window = 3 }.
    pub track: Option<TrackEntry>,
    /// Columns that a note of a change holds; default: the partition columns. With the columns of a summary's
    /// `recompute_by` among them, few changes cost few recomputed rows.
    pub track_columns: Option<Vec<String>>,
    /// How many notes may wait before they name partitions only, and from twice as many on everything; default 20000.
    pub max_notes: Option<u32>,
    /// For a dimension: in which rows of which summary its key occurs.
    pub invalidates: Option<InvalidatesEntry>,
    /// Indexes that refresh needs; added by `create` only where no equivalent exists.
    #[serde(default)]
    pub indexes: Vec<IndexEntry>,
}

/// `track`
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum TrackEntry {
    /// `"triggers"`, `"fingerprint"` or `"none"`.
    Word(String),
    /// `{ watermark = "updated_at", overlap = "1h" }`
    Watermark {
        /// A column that grows with every insert and update.
        watermark: String,
        /// How long a transaction may stay open after it set the column; default one hour.
        overlap: Option<String>,
    },
    /// `{ window = 3 }`: always the last three partitions.
    Window {
        /// Number of partitions.
        window: usize,
    },
}

/// `invalidates = { summary = "asin", on = ["asin"] }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvalidatesEntry {
    /// Short name of the summary.
    pub summary: String,
    /// Columns of the dimension that the summary has too.
    pub on: Vec<String>,
}

/// A list of columns, or a table of column = expression.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Partition {
    /// `["month"]`
    Columns(Vec<String>),
    /// `{ day = "date(created_at)" }`
    Expressions(BTreeMap<String, String>),
}

impl Default for Partition {
    fn default() -> Self {
        Self::Columns(Vec::new())
    }
}

/// `[[sources.<name>.indexes]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEntry {
    /// Name of the index.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<String>,
}

/// `[summaries.<name>]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummaryEntry {
    /// The table's name in the database; default: the section's name.
    pub table: Option<String>,
    /// `"table"` (default) or `"materialized_view"`.
    #[serde(default)]
    pub kind: Kind,
    /// File of the defining SELECT, beside the manifest. A materialized view's is the one in its script.
    pub select: Option<String>,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Columns by which content is recomputed; none: always whole.
    #[serde(default)]
    pub partition: Vec<String>,
    /// Columns of the key such that every row depends only on input rows with the same values in them: rows can
    /// then be recomputed one by one. None: only whole partitions.
    #[serde(default)]
    pub recompute_by: Vec<String>,
    /// Sums that must agree with the source, or with the tier below.
    #[serde(default)]
    pub reconcile: Vec<ReconcileEntry>,
    /// SELECTs over the staged rows that must return no row.
    #[serde(default)]
    pub checks: Vec<CheckEntry>,
    /// Share of rows (0 to 1) that a refresh may take away; default from the configuration.
    pub max_shrink: Option<f64>,
    /// Columns that are written but never compared, or that dashagg itself sets when it writes a row.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Older than this is stale, such as "26h".
    pub max_age: Option<String>,
    /// A refresh that takes longer is stale, such as "5s".
    pub max_duration: Option<String>,
    /// A summary that is larger is stale, such as "50 MB".
    pub max_bytes: Option<String>,
    /// `refresh --due` refreshes it this often, such as "5m".
    pub every: Option<String>,
    /// `refresh --due` refreshes it at this time of day, such as "02:00".
    pub at: Option<String>,
    /// Time zone of `at`; default UTC.
    pub timezone: Option<String>,
    /// How its content moves with the clock, if it does.
    pub time_dependent: Option<ClockEntry>,
    /// Older partitions leave the summary (never the source), such as "24 months".
    pub keep: Option<String>,
    /// Makes `<table>_live`, a view that is always equal to the SELECT as of now.
    #[serde(default)]
    pub live: bool,
    /// Users or roles that `create` grants SELECT to.
    #[serde(default)]
    pub readers: Vec<String>,
}

/// What a summary is in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A table that dashagg writes.
    #[default]
    Table,
    /// A materialized view that the database refreshes on dashagg's word.
    MaterializedView,
}

impl Kind {
    /// The word of the manifest and of `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::MaterializedView => "materialized_view",
        }
    }
}

/// `time_dependent`
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ClockEntry {
    /// `"1m"`: it may move all the time, and is due again after this long.
    Every(String),
    /// `{ midnight = "Australia/Sydney" }`: it moves when the local date changes.
    Midnight {
        /// A time zone by name.
        midnight: String,
    },
}

/// One entry of `reconcile`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileEntry {
    /// Columns whose sums are compared.
    pub columns: Vec<String>,
    /// Condition on the summary's rows that take part.
    #[serde(rename = "where")]
    pub condition: Option<String>,
}

/// One entry of `checks`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckEntry {
    /// Short name for messages.
    pub name: String,
    /// What it means when a row comes back, and what to do.
    pub message: String,
    /// SELECT over summary tables (their staged rows).
    pub select: String,
}
