//! SQLite: every write of a file is made by whoever has it open, and fires triggers.

use super::SqliteDialect;
use crate::engine::AbilitySql;

impl AbilitySql for SqliteDialect {}
