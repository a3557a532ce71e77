//! MySQL and MariaDB.
//!
//! Everything runs under READ COMMITTED: under REPEATABLE READ an `INSERT … SELECT` takes shared
//! next-key locks on the source and stops its writers
//! (<https://dev.mysql.com/doc/refman/8.0/en/innodb-locks-set.html>), and it does not even read the
//! transaction's snapshot. One statement sees one state, and each partition is computed, together with
//! the source totals that it is checked against, by one statement.

mod ability;
mod catalog;
mod connect;
mod connection;
mod errors;
mod notes;
mod objects;
mod scratch;
mod session;
mod spelling;
mod triggers;

pub use connection::Mysql;

use super::Dialect;

/// The text side, for MySQL.
pub static MYSQL: MysqlDialect = MysqlDialect { mariadb: false };
/// The text side, for MariaDB: the same language, but temporary tables may be read twice in one statement.
pub static MARIADB: MysqlDialect = MysqlDialect { mariadb: true };

/// SQL text of MySQL and MariaDB.
pub struct MysqlDialect {
    mariadb: bool,
}

impl Dialect for MysqlDialect {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn transactional_ddl(&self) -> bool {
        false
    }
}
