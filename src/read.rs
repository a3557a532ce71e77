//! Files that others may have put in our way: opened without waiting for anybody, and read up to a limit.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// More bytes than any configuration, manifest, SELECT or script has.
pub const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Opens a regular file, or the one that a symbolic link leads to.
///
/// # Errors
/// Those of the system; for a FIFO, a device, a socket or a folder, one that says which it is.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Looked at before: opening a device can have effects of its own.
    regular(&std::fs::metadata(path)?)?;
    // And after, without blocking: it may have become a FIFO meanwhile.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    regular(&meta)?;
    Ok((file, meta))
}

/// The text of a regular file of at most [`MOST_BYTES`].
///
/// # Errors
/// Those of [`open`]; too large; not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    text_of(open(path)?.0)
}

/// The text of an open file, up to the same limit.
///
/// # Errors
/// Too large; not UTF-8.
pub fn text_of(file: File) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed tells that there is more; what the system says of the size may be wrong.
    let mut limited = file.take(MOST_BYTES + 1);
    limited.read_to_string(&mut text).map_err(|error| match limited.limit() {
        0 => too_large(),
        _ => error,
    })?;
    if limited.limit() == 0 { Err(too_large()) } else { Ok(text) }
}

fn too_large() -> io::Error {
    io::Error::other(format!("it is larger than {} MiB", MOST_BYTES / (1024 * 1024)))
}

fn regular(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() {
        return Ok(());
    }
    Err(io::Error::other(format!("it is {}, not a regular file", kind(meta.file_type()))))
}

/// What something is that is no regular file, with its article.
#[must_use]
pub fn kind(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_sane_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let refused = |name: &str| text(&path(name)).unwrap_err().to_string();
        std::fs::write(path("plain"), "é\n").unwrap();
        std::os::unix::fs::symlink(path("plain"), path("link")).unwrap();
        assert_eq!(text(&path("link")).unwrap(), "é\n");

        assert!(std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
        std::os::unix::fs::symlink(path("fifo"), path("to fifo")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("to device")).unwrap();
        std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert_eq!(refused("fifo"), "it is a FIFO, not a regular file");
        assert_eq!(refused("to fifo"), "it is a FIFO, not a regular file");
        assert_eq!(refused("to device"), "it is a device, not a regular file");
        assert_eq!(refused("socket"), "it is a socket, not a regular file");
        assert_eq!(refused("."), "it is a folder, not a regular file");
        assert!(refused("loop").contains("symbolic link"), "{}", refused("loop"));

        let file = File::create(path("large")).unwrap();
        file.set_len(MOST_BYTES).unwrap();
        assert_eq!(text(&path("large")).unwrap().len() as u64, MOST_BYTES);
        file.set_len(MOST_BYTES + 1).unwrap();
        assert_eq!(refused("large"), "it is larger than 16 MiB");
        file.set_len(u64::from(u32::MAX) * 4).unwrap();
        assert_eq!(refused("large"), "it is larger than 16 MiB");
    }
}
