//! Which configuration file is read, and whether its commands may run: whoever can write it can have them run.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::file::File;
use crate::error::Failure;
use crate::read;

const LOCAL_FILE: &str = "config.toml";
const SYSTEM_FILE: &str = "/etc/dashagg/config.toml";
/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// A configuration file that was found and may be read.
pub(super) struct Found {
    pub path: PathBuf,
    pub text: String,
    /// Why others could have written it, if they could.
    flaw: Option<Flaw>,
}

/// Why a file may say what its reader never wrote.
struct Flaw {
    what: String,
    mend: String,
    /// Somebody besides its owner can change it; otherwise it is the owner that is a stranger.
    writable: bool,
}

/// The file that is named, else `./config.toml`, else the system's. The second one only if it is beyond doubt ours:
/// the folder that one stands in may be anybody's. It is passed over with a warning otherwise.
///
/// # Errors
/// A usage failure for a file that does not exist or cannot be read.
pub(super) fn find(named: Option<PathBuf>, warnings: &mut Vec<String>) -> Result<Option<Found>, Failure> {
    if let Some(path) = named {
        return load(path).map(Some);
    }
    if let Ok(meta) = std::fs::symlink_metadata(LOCAL_FILE) {
        // A link that leads nowhere is judged by itself.
        let meta = std::fs::metadata(LOCAL_FILE).unwrap_or(meta);
        match flaw(Path::new(LOCAL_FILE), &meta, me()) {
            None => return load(PathBuf::from(LOCAL_FILE)).map(Some),
            Some(flaw) => warnings.push(format!(
                "./{LOCAL_FILE} is not read, because {}: if you trust it, name it with -c {LOCAL_FILE}, or {}",
                flaw.what, flaw.mend
            )),
        }
    }
    // Not so for a file whose folder cannot be entered: that is its administrator's wish.
    if Path::new(SYSTEM_FILE).exists() { load(PathBuf::from(SYSTEM_FILE)).map(Some) } else { Ok(None) }
}

fn load(path: PathBuf) -> Result<Found, Failure> {
    let read = read::open(&path).and_then(|(file, meta)| Ok((read::text_of(file)?, meta)));
    match read {
        Ok((text, meta)) => Ok(Found { flaw: flaw(&path, &meta, me()), path, text }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("the configuration {} does not exist", path.display()))
                .hint("correct --config or DASHAGG_CONFIG; `dashagg init DIR` writes an example"))
        }
        Err(error) => {
            Err(Failure::usage(format!("cannot read the configuration {}: {error}", path.display()))
                .hint("it must be a UTF-8 file that this user can read"))
        }
    }
}

impl Found {
    /// Whether what the file asks for may be done; a warning where that is doubtful.
    ///
    /// # Errors
    /// It has commands, and others could have written them.
    pub fn judge(&self, file: &File, warnings: &mut Vec<String>) -> Result<(), Failure> {
        let Some(flaw) = &self.flaw else { return Ok(()) };
        let shown = self.path.display();
        let password = file.database.password_command.as_ref().is_some_and(|text| !text.expose().is_empty());
        let hooks = file.hooks.iter().any(|hook| hook.command.is_some());
        if password || hooks {
            let key = if password { "password_command" } else { "command of a hook" };
            return Err(Failure::usage(format!(
                "the {key} in {shown} is not run, and nothing else is done, because {}",
                flaw.what
            ))
            .hint(flaw.mend.clone()));
        }
        if flaw.writable {
            warnings.push(format!("{shown}: {}: {}", flaw.what, flaw.mend));
        }
        Ok(())
    }
}

/// A warning where others can write to the folder of sets: what lies there is run with the DBA's rights.
pub(super) fn doubt_sets(folder: &Path) -> Option<String> {
    // One that is not there is reported when it is read.
    let flaw = flaw(folder, &std::fs::metadata(folder).ok()?, me()).filter(|flaw| flaw.writable)?;
    Some(format!("the sets in {} are run as SQL, and {}: {}", folder.display(), flaw.what, flaw.mend))
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What is wrong with a file, or with the way to it.
fn flaw(path: &Path, file: &Metadata, me: u32) -> Option<Flaw> {
    let shown = path.display();
    if let Some(what) = stranger(file, me) {
        return Some(Flaw {
            what: format!("it {what}"),
            mend: format!("run `chown {me} {shown}`"),
            writable: false,
        });
    }
    if others_can_write(file) {
        return Some(Flaw {
            what: "other users can write to it".to_owned(),
            mend: format!("run `chmod go-w {shown}`"),
            writable: true,
        });
    }
    // A way that cannot be followed to its end is no safe one.
    way(path, me).unwrap_or_else(|error| {
        Some(Flaw {
            what: format!("the way to it cannot be checked ({error})"),
            mend: "move it into a folder of yours".to_owned(),
            writable: true,
        })
    })
}

/// Follows the path step by step: who owns a folder or a link on the way decides what is found at its end.
fn way(path: &Path, me: u32) -> io::Result<Option<Flaw>> {
    let mut left = steps(&std::path::absolute(path)?);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(step) = left.pop_front() {
        if let Some(flaw) = folder_flaw(&at, me)? {
            return Ok(Some(flaw));
        }
        if step == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&step);
        let meta = std::fs::symlink_metadata(&next)?;
        if !meta.is_symlink() {
            at = next;
            continue;
        }
        if let Some(what) = stranger(&meta, me) {
            return Ok(Some(Flaw {
                what: format!("the symbolic link {} {what}", next.display()),
                mend: "name the file itself".to_owned(),
                writable: true,
            }));
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(io::Error::other("too many symbolic links"));
        }
        let target = std::fs::read_link(&next)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        let mut more = steps(&target);
        more.append(&mut left);
        left = more;
    }
    Ok(None)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn folder_flaw(folder: &Path, me: u32) -> io::Result<Option<Flaw>> {
    let meta = std::fs::symlink_metadata(folder)?;
    let shown = folder.display();
    if let Some(what) = stranger(&meta, me) {
        return Ok(Some(Flaw {
            what: format!("its folder {shown} {what}"),
            mend: "move it into a folder of yours".to_owned(),
            writable: true,
        }));
    }
    // Sticky, as /tmp is: nobody can replace what is not theirs.
    let sticky = meta.mode() & 0o1000 != 0;
    Ok((others_can_write(&meta) && !sticky).then(|| Flaw {
        what: format!("other users can write to its folder {shown}, and so put another file in its place"),
        mend: format!("run `chmod go-w {shown}`"),
        writable: true,
    }))
}

/// Words for an owner who is neither this user nor root.
fn stranger(meta: &Metadata, me: u32) -> Option<String> {
    let owner = meta.uid();
    (owner != me && owner != 0).then(|| format!("belongs to another user (uid {owner})"))
}

/// A group of the owner's own number is the owner's private one, as most systems make them, and no others are in it.
fn others_can_write(meta: &Metadata) -> bool {
    others_can(meta, 0o2)
}

/// Whether others can read a file; the owner's private group is not others here either.
pub(super) fn others_can_read(meta: &Metadata) -> bool {
    others_can(meta, 0o4)
}

fn others_can(meta: &Metadata, what: u32) -> bool {
    meta.mode() & what != 0 || (meta.mode() & (what << 3) != 0 && meta.gid() != meta.uid())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[track_caller]
    fn says(path: &Path, me: u32, words: &str) {
        let found = flaw(path, &std::fs::metadata(path).unwrap(), me).map(|flaw| flaw.what);
        match words {
            "" => assert_eq!(found, None),
            _ => assert!(found.as_deref().is_some_and(|what| what.contains(words)), "{words}: {found:?}"),
        }
    }

    #[test]
    fn owner_mode_folder_and_links_count() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let (file, link) = (folder.join("c.toml"), folder.join("link.toml"));
        std::fs::write(&file, "").unwrap();
        symlink("c.toml", &link).unwrap();
        mode(&file, 0o644);
        says(&file, me(), "");
        says(&link, me(), "");
        mode(&file, 0o646);
        says(&file, me(), "other users can write to it");
        says(&link, me(), "other users can write to it");
        mode(&file, 0o644);
        // For somebody else it is a stranger's file, unless it is root's.
        if me() != 0 {
            says(&file, me() + 1, "belongs to another user");
        }
        mode(&folder, 0o757);
        says(&file, me(), "can write to its folder");
        says(&link, me(), "can write to its folder");
        mode(&folder, 0o1777);
        says(&file, me(), "");
        mode(&folder, 0o700);

        // The way through another folder counts, not only its end.
        let open = folder.join("open");
        std::fs::create_dir(&open).unwrap();
        mode(&open, 0o777);
        symlink("../c.toml", open.join("c.toml")).unwrap();
        says(&open.join("c.toml"), me(), "can write to its folder");
        symlink("open/c.toml", folder.join("twice.toml")).unwrap();
        says(&folder.join("twice.toml"), me(), "can write to its folder");
        says(&open.join("../c.toml"), me(), "can write to its folder");
    }

    /// Only root can give files away.
    #[test]
    fn strangers_and_groups() {
        if me() != 0 {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        let file = folder.join("c.toml");
        std::fs::write(&file, "").unwrap();
        mode(&file, 0o664);
        says(&file, 0, "");
        std::os::unix::fs::chown(&file, Some(0), Some(4711)).unwrap();
        says(&file, 0, "other users can write to it");
        std::os::unix::fs::chown(&file, Some(4711), Some(4711)).unwrap();
        says(&file, 0, "belongs to another user (uid 4711)");
        says(&file, 4711, "");
        symlink("c.toml", folder.join("link")).unwrap();
        std::os::unix::fs::lchown(folder.join("link"), Some(4712), None).unwrap();
        says(&folder.join("link"), 4711, "the symbolic link");
        std::os::unix::fs::chown(&folder, Some(4712), None).unwrap();
        says(&file, 4711, "its folder");
    }
}
