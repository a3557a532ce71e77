//! Indexes that refresh needs on the sources: only where no equivalent exists, and without stopping writers.

use std::time::Duration;

use anyhow::Result;

use crate::catalog::Set;
use crate::engine::{Engine, Index, Shape};
use crate::error::Failure;
use crate::exit_code::ExitCode;
use crate::words;

/// An index that a source still lacks.
pub(super) struct Missing {
    /// Its name.
    pub name: String,
    /// The source's table.
    pub table: String,
    /// Its schema, if the manifest names one.
    pub schema: Option<String>,
    /// What makes it, after what clears the way for it.
    pub sql: Vec<String>,
}

/// The indexes that the sources of a set still lack. Only looks.
///
/// # Errors
/// A source that does not exist, or another index of that name.
pub(super) async fn missing(engine: &mut dyn Engine, set: &Set) -> Result<Vec<Missing>> {
    let mut missing = Vec::new();
    for source in &set.sources {
        if source.indexes.is_empty() {
            continue;
        }
        let Some(mut shape) = Shape::read(engine, source.schema.as_deref(), &source.table).await? else {
            return Err(Failure::new(
                ExitCode::Failed,
                format!("source table {} does not exist in {}", source.table, engine.server().database),
            )
            .hint("it belongs to your application; check the connection, or use --skip-source-indexes")
            .into());
        };
        for index in &source.indexes {
            if let Some(have) = shape.index_led_by(&index.columns) {
                tracing::debug!("{}: {} already serves {}", source.table, have.name, index.name);
                continue;
            }
            let d = engine.dialect();
            let mut sql = Vec::new();
            let tree = match d.leaves_sql(source.schema.as_deref(), &source.table) {
                Some(leaves) => engine.query(&leaves).await?,
                None => Vec::new(),
            };
            if let Some(have) = shape.indexes.iter().find(|have| have.name == index.name) {
                // An interrupted online build leaves an index behind that has the right columns and serves
                // nothing. Anything else of that name is somebody's index, and not ours to drop.
                let leftover = have.broken && have.columns == index.columns;
                match d.drop_broken_index(&index.name).filter(|_| leftover) {
                    // One over partitions goes with what makes it anew.
                    Some(_) if !tree.is_empty() => {}
                    Some(drop) => sql.push(drop),
                    None => {
                        return Err(Failure::new(
                            ExitCode::Failed,
                            format!(
                                "{} has another index named {}, which does not serve ({})",
                                source.table,
                                index.name,
                                index.columns.join(", ")
                            ),
                        )
                        .hint("rename one of them, or use --skip-source-indexes")
                        .into());
                    }
                }
            }
            if tree.is_empty() {
                sql.push(d.create_index_online(&index.name, &source.sql(d), &index.columns));
            } else {
                sql.extend(d.index_leaves_online(&index.name, &source.sql(d), &tree, &index.columns));
            }
            missing.push(Missing {
                name: index.name.clone(),
                table: source.table.clone(),
                schema: source.schema.clone(),
                sql,
            });
            // A wider index planned before a narrower one makes the narrower superfluous.
            shape.indexes.push(Index {
                name: index.name.clone(),
                unique: false,
                partial: false,
                broken: false,
                columns: index.columns.clone(),
            });
        }
    }
    Ok(missing)
}

/// Says what is about to take long. Half a million rows a second is what ordinary disks and processors do.
///
/// # Errors
/// Whatever the server says.
pub(super) async fn announce(engine: &mut dyn Engine, missing: &Missing) -> Result<()> {
    let sql = engine.dialect().estimated_rows_sql(missing.schema.as_deref(), &missing.table);
    let rows = engine.scalar(&sql).await?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let wait = Duration::from_secs(rows / 500_000 + 1);
    tracing::info!(
        "adding index {} to {} (about {} rows): expect about {}; --skip-source-indexes leaves it out",
        missing.name,
        missing.table,
        words::thousands(rows),
        humantime::format_duration(wait)
    );
    Ok(())
}
