//! What dashagg makes in a database besides tables: live views and grants; and a look at how indexes serve the SELECTs.

pub(crate) mod explain;
pub(crate) mod grants;
pub(crate) mod live;

use anyhow::Result;

use crate::catalog::Set;
use crate::engine::Engine;
use crate::tracking;

/// The SQL that takes away what an older manifest had made and this one no longer names: live views, and the tracking
/// of sources. Summary tables stay: they hold data.
///
/// # Errors
/// Whatever the server says.
pub(crate) async fn forgotten_sql(engine: &mut dyn Engine, set: &Set) -> Result<Vec<String>> {
    let mut sql = live::forgotten_sql(engine, set).await?;
    sql.extend(tracking::forgotten_sql(engine, set).await?);
    Ok(sql)
}
