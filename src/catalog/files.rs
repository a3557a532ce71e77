//! Where sets come from: the folder that the DBA names, or the ones inside the binary.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};

use crate::error::Failure;
use crate::read;

static BUNDLED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql");

/// Name of the manifest; a folder that has one is a set.
pub const MANIFEST: &str = "summaries.toml";

/// Deeper than any set is, and shallow enough for a link that leads upwards to end soon.
const MOST_DEPTH: usize = 8;

/// Text files by their path below the set's folder, with `/` between.
pub type Files = BTreeMap<String, String>;

/// The files of every set, by set name.
pub struct Tree {
    /// For messages: the folder, or `bundled`.
    pub origin: String,
    /// Set name → files.
    pub sets: BTreeMap<String, Files>,
}

impl Tree {
    /// Reads `folder`, or the bundled sets if there is none.
    ///
    /// # Errors
    /// A folder that cannot be read or holds no set.
    pub fn load(folder: Option<&Path>) -> Result<Self> {
        let tree = match folder {
            Some(folder) => Self::from_folder(folder)?,
            None => Self::bundled(),
        };
        if tree.sets.is_empty() {
            return Err(Failure::usage(format!("{}: no set found", tree.origin))
                .hint(format!(
                    "a set is a folder with a {MANIFEST}; `dashagg init DIR` writes the bundled ones for editing"
                ))
                .into());
        }
        Ok(tree)
    }

    fn bundled() -> Self {
        let mut sets = BTreeMap::new();
        for (path, text) in bundled_files() {
            if let Some((set, rest)) = path.split_once('/') {
                sets.entry(set.to_owned()).or_insert_with(Files::new).insert(rest.to_owned(), text);
            }
        }
        sets.retain(|_, files| files.contains_key(MANIFEST));
        Self { origin: "bundled".to_owned(), sets }
    }

    fn from_folder(folder: &Path) -> Result<Self> {
        let mut sets = BTreeMap::new();
        let entries = std::fs::read_dir(folder).map_err(|error| {
            Failure::usage(format!("folder of sets {}: {error}", folder.display()))
                .hint("name it with --sql-dir, or leave it out for the bundled sets")
        })?;
        for entry in entries {
            let path = entry?.path();
            // Whatever it is: a manifest that is no file must not hide its set.
            if path.join(MANIFEST).symlink_metadata().is_ok()
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                let mut files = Files::new();
                read_folder(&path, "", 0, &mut files)?;
                sets.insert(name.to_owned(), files);
            }
        }
        Ok(Self { origin: folder.display().to_string(), sets })
    }
}

fn read_folder(folder: &Path, prefix: &str, depth: usize, files: &mut Files) -> Result<()> {
    let wrong = |path: &Path, what: &str| {
        Failure::usage(format!("{}: {what}", path.display()))
            .hint("a set's folder holds plain text files and folders; move everything else out of it")
    };
    if depth > MOST_DEPTH {
        let what =
            format!("more than {MOST_DEPTH} folders deep; does a symbolic link lead back to a folder above?");
        return Err(wrong(folder, &what).into());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // Editors keep locks under such names (links that lead nowhere), and version control its folder.
        if name.starts_with('.') {
            continue;
        }
        let relative = format!("{prefix}{name}");
        let meta = std::fs::metadata(&path).map_err(|error| wrong(&path, &error.to_string()))?;
        if meta.is_dir() {
            read_folder(&path, &format!("{relative}/"), depth + 1, files)?;
        } else if !meta.is_file() {
            let what = format!("it is {}, not a regular file", read::kind(meta.file_type()));
            return Err(wrong(&path, &what).into());
        } else if name.ends_with(".sql") || name.ends_with(".toml") {
            let text = read::text(&path).map_err(|error| wrong(&path, &error.to_string()))?;
            files.insert(relative, text);
        }
    }
    Ok(())
}

/// Every text file under the bundled `sql/`, by path.
pub fn bundled_files() -> Vec<(String, String)> {
    fn walk(dir: &Dir<'_>, out: &mut Vec<(String, String)>) {
        for file in dir.files() {
            if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                out.push((path.replace('\\', "/"), text.to_owned()));
            }
        }
        for dir in dir.dirs() {
            walk(dir, out);
        }
    }
    let mut out = Vec::new();
    walk(&BUNDLED, &mut out);
    out
}
