//! Checksums: SHA-256 over text that editors and checkouts may have touched without changing it.

use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first eight bytes of SHA-256 as a number, for locks that are numbers.
pub fn number(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0u8; 8];
    bytes.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(bytes)
}

/// SHA-256 of a file's meaning: blind to a byte order mark, CRLF line ends and trailing blank space, which a
/// checkout or an editor changes without anyone editing the file.
pub fn of_file(text: &str) -> String {
    hex(normalised(text).trim_end())
}

/// The text without byte order mark and carriage returns at line ends.
pub fn normalised(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::of_file;

    #[test]
    fn a_checkout_does_not_change_the_checksum_but_an_edit_does() {
        let unix = "CREATE TABLE t (a INT);\n";
        assert_eq!(of_file(unix), of_file("\u{feff}CREATE TABLE t (a INT);\r\n\r\n"));
        assert_ne!(of_file(unix), of_file("CREATE TABLE t (b INT);\n"));
    }
}
