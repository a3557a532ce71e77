//! Who holds a set's lock, and whether that process can be known to be dead.
//!
//! A host name and a process number say nothing across containers: every one of them may call itself `app` and run us as
//! process 7. So a holder also notes the boot of its kernel, its namespaces and the moment at which it started. Only who
//! is in the same namespaces under the same boot can say that it is gone; everybody else waits for the server.

use anyhow::Result;

use crate::engine::{Engine, ErrorClass};
use crate::ledger::row::Columns;
use crate::ledger::{host, in_write};

const HOLDERS: Columns = Columns {
    table: "dashagg_holder",
    names: &["host", "pid", "since", "session", "boot_id", "namespaces", "process_start"],
};

/// Who holds a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Host name of the client.
    pub host: String,
    /// Process on that host, as it sees itself.
    pub pid: u32,
    /// Since when (RFC 3339).
    pub since: String,
    /// The server's session that has the lock, in the engine's own words; empty where there is none.
    pub session: String,
    /// What makes the process unique. Empty parts are not known.
    pub origin: Origin,
}

/// What tells a process from every other one. Empty: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The kernel's own name for its current boot.
    pub boot: String,
    /// The namespaces in which a process number and a start mean something.
    pub namespaces: String,
    /// When the process started, in ticks since the boot.
    pub started: String,
}

/// What is seen of a process number here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// The kernel knows no such process.
    Gone,
    /// There is one; when it started, if that can be read.
    There(Option<String>),
    /// Nothing can be said.
    Unknown,
}

impl Origin {
    /// This process.
    pub fn me() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).map_or(String::new(), |s| s.trim().to_owned());
        let namespace = |kind: &str| {
            let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
            Some(link.to_str()?.to_owned())
        };
        // Kernels before 5.6 have no time namespaces; then both have none.
        let time = namespace("time").unwrap_or_default();
        Self {
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespaces: namespace("pid").map_or(String::new(), |pid| format!("{pid} {time}")),
            started: started("self").unwrap_or_default(),
        }
    }

    /// Whether a process number means the same to both.
    fn shares(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| !a.is_empty() && a == b;
        same(&self.boot, &other.boot) && same(&self.namespaces, &other.namespaces)
    }
}

impl Holder {
    /// This process.
    pub fn me(since: String, session: String) -> Self {
        Self { host: host(), pid: std::process::id(), since, session, origin: Origin::me() }
    }

    /// Whether the process that held the lock is known to be gone. In doubt it is not.
    pub fn is_dead(&self) -> bool {
        let here = Origin::me();
        self.origin.shares(&here) && judge(&self.origin, &here, &look(self.pid))
    }

    /// Whether it is this very process: then the session is one that was given up, since nobody holds two locks of a name.
    pub fn is_me(&self) -> bool {
        let here = Origin::me();
        self.pid == std::process::id()
            && self.origin.shares(&here)
            && !here.started.is_empty()
            && self.origin.started == here.started
    }
}

/// The verdict on a holder, from where we are.
fn judge(holder: &Origin, here: &Origin, process: &Process) -> bool {
    if !holder.shares(here) {
        return false;
    }
    match process {
        Process::Gone => true,
        Process::There(Some(started)) => {
            !holder.started.is_empty() && !started.is_empty() && *started != holder.started
        }
        Process::There(None) | Process::Unknown => false,
    }
}

/// Asks the kernel, which also answers where /proc is hidden.
fn look(pid: u32) -> Process {
    let Some(id) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else {
        return Process::Unknown;
    };
    match rustix::process::test_kill_process(id) {
        Err(rustix::io::Errno::SRCH) => Process::Gone,
        Ok(()) | Err(rustix::io::Errno::PERM) => {
            // A /proc of another namespace would show somebody else under that number.
            let ours = std::fs::read_link("/proc/self")
                .is_ok_and(|link| link.to_str() == Some(&std::process::id().to_string()));
            Process::There(if ours { started(&pid.to_string()) } else { None })
        }
        Err(_) => Process::Unknown,
    }
}

/// When a process started, in ticks since the boot.
fn started(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    start_field(&stat).map(str::to_owned)
}

/// Field 22; a program's name, the second, may hold blanks and brackets.
fn start_field(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "host {}, pid {}, since {}", self.host, self.pid, self.since)
    }
}

/// Reads the recorded holder of a set.
///
/// # Errors
/// Whatever the server says.
pub async fn holder(engine: &mut dyn Engine, set: &str) -> Result<Option<Holder>> {
    let sql = HOLDERS.select(&format!("WHERE set_name = {}", engine.dialect().literal(set)));
    HOLDERS.decode_first(engine.query(&sql).await?, |row| {
        Ok(Holder {
            host: row.text("host")?,
            pid: row.value("pid", "a process number", |text| text.parse().ok())?,
            since: row.text("since")?,
            session: row.text("session")?,
            origin: Origin {
                boot: row.text("boot_id")?,
                namespaces: row.text("namespaces")?,
                started: row.text("process_start")?,
            },
        })
    })
}

/// Records the holder of a set. Manners only: the lock is the server's.
///
/// # Errors
/// Whatever the server says.
pub async fn record(engine: &mut dyn Engine, set: &str, holder: &Holder) -> Result<()> {
    let d = engine.dialect();
    let name = d.literal(set);
    let insert = format!(
        "INSERT INTO dashagg_holder (set_name, host, pid, since, session, boot_id, namespaces, process_start) \
         VALUES ({name}, {}, {}, {}, {}, {}, {}, {})",
        d.literal(&holder.host),
        holder.pid,
        d.literal(&holder.since),
        d.literal(&holder.session),
        d.literal(&holder.origin.boot),
        d.literal(&holder.origin.namespaces),
        d.literal(&holder.origin.started),
    );
    // Mostly nobody is: then one statement does it.
    match engine.execute(&insert).await {
        Ok(_) => return Ok(()),
        Err(error) if error.class == ErrorClass::Duplicate => {}
        Err(error) => return Err(error.into()),
    }
    in_write(engine, &[format!("DELETE FROM dashagg_holder WHERE set_name = {name}"), insert]).await
}

/// Takes this process off the record; another one may be on it by now, and stays.
///
/// # Errors
/// Whatever the server says.
pub async fn clear(engine: &mut dyn Engine, set: &str) -> Result<()> {
    let d = engine.dialect();
    let me = Holder::me(String::new(), String::new());
    let sql = format!(
        "DELETE FROM dashagg_holder WHERE set_name = {} AND host = {} AND pid = {} AND boot_id = {} \
         AND namespaces = {} AND process_start = {}",
        d.literal(set),
        d.literal(&me.host),
        me.pid,
        d.literal(&me.origin.boot),
        d.literal(&me.origin.namespaces),
        d.literal(&me.origin.started),
    );
    Ok(engine.execute(&sql).await.map(drop)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn origin(boot: &str, namespaces: &str, started: &str) -> Origin {
        Origin { boot: boot.into(), namespaces: namespaces.into(), started: started.into() }
    }

    fn there(started: &str) -> Process {
        Process::There(Some(started.into()))
    }

    #[test]
    fn only_what_is_known_to_be_dead_is_dead() {
        let here = origin("b", "pid:[1] time:[2]", "900");
        let holder = origin("b", "pid:[1] time:[2]", "100");
        assert!(judge(&holder, &here, &Process::Gone));
        // Its number was given to somebody else since.
        assert!(judge(&holder, &here, &there("500")));
        assert!(!judge(&holder, &here, &there("100")));
    }

    #[test]
    fn what_is_not_known_lives() {
        let here = origin("b", "pid:[1] time:[2]", "900");
        let holder = origin("b", "pid:[1] time:[2]", "100");
        // /proc is hidden (hidepid), unreadable or another namespace's; or the kernel says nothing.
        assert!(!judge(&holder, &here, &Process::There(None)));
        assert!(!judge(&holder, &here, &there("")));
        assert!(!judge(&holder, &here, &Process::Unknown));
        assert!(!judge(&origin("b", "pid:[1] time:[2]", ""), &here, &there("500")));
        // Another machine, another boot, another container; or one of them is not known on either side.
        for other in [
            origin("c", "pid:[1] time:[2]", "100"),
            origin("b", "pid:[9] time:[2]", "100"),
            origin("b", "pid:[1] time:[9]", "100"),
            origin("", "pid:[1] time:[2]", "100"),
            origin("b", "", "100"),
            Origin::default(),
        ] {
            assert!(!judge(&other, &here, &Process::Gone), "{other:?}");
            assert!(!judge(&here, &other, &Process::Gone), "{other:?}");
            assert!(!judge(&other, &other.clone(), &there("100")), "{other:?}");
        }
        assert!(!judge(&Origin::default(), &Origin::default(), &Process::Gone));
    }

    #[test]
    fn this_process_lives() {
        let me = Holder::me("now".into(), String::new());
        assert!(me.is_me() && !me.is_dead(), "{me:?}");
        assert!(!me.origin.boot.is_empty() && !me.origin.namespaces.is_empty(), "{me:?}");
        let earlier = Holder { origin: Origin { started: "1".into(), ..me.origin.clone() }, ..me.clone() };
        assert!(earlier.is_dead() && !earlier.is_me());
        let elsewhere = Holder { origin: Origin { boot: "x".into(), ..me.origin.clone() }, ..me };
        assert!(!elsewhere.is_dead() && !elsewhere.is_me());
    }

    #[test]
    fn a_child_that_ended_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(look(pid), Process::Gone);
        assert_eq!(look(0), Process::Unknown);
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let tail = "S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 3 0 123456 99 1";
        assert_eq!(start_field(&format!("7 (dashagg) {tail}")), Some("123456"));
        assert_eq!(start_field(&format!("7 (a) b (c) d) {tail}")), Some("123456"));
        assert_eq!(start_field("7 (short) S 1"), None);
        assert_eq!(start_field(""), None);
    }
}
