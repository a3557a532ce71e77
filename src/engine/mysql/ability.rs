//! MySQL and MariaDB: whether this server is a replica.

use super::MysqlDialect;
use crate::engine::AbilitySql;

impl AbilitySql for MysqlDialect {
    fn applied_sql(&self, _tables: &[(Option<&str>, &str)]) -> Vec<String> {
        // Threads of replication are seen by users with PROCESS only.
        let threads = |commands: &str| {
            format!(
                "EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'system user' AND COMMAND {commands})"
            )
        };
        if self.mariadb {
            // Not by @@gtid_slave_pos, which anybody may read: it stays where a replica has become the primary.
            return vec![format!(
                "SELECT 1 FROM DUAL WHERE @@GLOBAL.slave_run_triggers_for_rbr = 'NO' AND {}",
                threads("LIKE 'Slave%'")
            )];
        }
        vec![
            "SELECT 1 FROM performance_schema.replication_connection_configuration \
             WHERE CHANNEL_NAME NOT LIKE 'group|_replication%' ESCAPE '|' LIMIT 1"
                .to_owned(),
            format!("SELECT 1 FROM DUAL WHERE {}", threads("IN ('Connect', 'Query')")),
        ]
    }
}
