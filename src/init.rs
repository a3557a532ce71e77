//! `dashagg init`: the bundled sets and an example configuration, as files to edit.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::catalog::files;
use crate::error::Failure;
use crate::exit_code::ExitCode;

const CONFIG: &str = include_str!("../config.example.toml");
const CRONTAB: &str = include_str!("../crontab.example");

/// Folders of a set that serve the demo and the tests: samples of sources, and the same content computed by other SQL.
const NOT_FOR_EDITING: [&str; 3] = ["sample", "independent", "founding"];

/// Whether a file of a set is one that its DBA edits, or asks dashboards by.
fn is_for_editing(path: &str) -> bool {
    !path.split('/').skip(1).any(|folder| NOT_FOR_EDITING.contains(&folder))
}

/// Writes the files and returns their paths. Existing files are never overwritten.
///
/// # Errors
/// A file that is already there (nothing is written then), or one that cannot be written.
pub fn run(folder: &Path) -> Result<Vec<String>> {
    let bundled = files::bundled_files().into_iter().filter(|(path, _)| is_for_editing(path));
    let mut all: Vec<(String, String)> = bundled.map(|(path, text)| (format!("sql/{path}"), text)).collect();
    all.push(("config.toml".to_owned(), CONFIG.to_owned()));
    all.push(("crontab.example".to_owned(), CRONTAB.to_owned()));
    // Not `exists`: a symbolic link that leads nowhere is there, too.
    if let Some((path, _)) = all.iter().find(|(path, _)| folder.join(path).symlink_metadata().is_ok()) {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("{} is already there; nothing was written", folder.join(path).display()),
        )
        .hint("choose an empty folder")
        .into());
    }
    let mut written = Vec::new();
    for (path, text) in all {
        let full = folder.join(&path);
        if let Some(parent) = full.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)
                .with_context(|| format!("making folder {}", parent.display()))?;
        }
        // `create_new` follows no link and overwrites nothing, whatever came there meanwhile. For the group to write
        // to it would make a configuration that is not believed.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&full)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("writing {}", full.display()))?;
        written.push(path);
    }
    written.sort();
    Ok(written)
}
