//! What dashagg makes in a database besides tables: live views and grants; and a look at how indexes serve the SELECTs.

pub(crate) mod explain;
pub(crate) mod grants;
pub(crate) mod live;
