//! Numbers as people read them.

pub mod safe;

use self::safe::is_unsafe;

/// `1234567` → `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An age in seconds → `just now`, `3 minutes ago`.
#[must_use]
pub fn age_in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..5 => return "just now".to_owned(),
        5..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    // Each unit begins at two of its kind, so the plural is always right.
    format!("{} {unit}s ago", thousands(count))
}

/// Bytes → `512 B`, `1.4 GiB` (powers of 1024).
#[must_use]
pub fn bytes_in_words(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration in seconds → `4 ms`, `1.2 s`, `3 min 12 s`, `2 h 05 min`.
#[must_use]
pub fn duration_in_words(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3_600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", thousands(whole / 3_600), whole % 3_600 / 60)
    }
}

/// `1`, `"set"` → `1 set`; `2`, `"set"` → `2 sets`. For words with a regular plural.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Text from a database, safe on a terminal: control characters are escaped, and quotes show where it
/// begins and ends if that is not obvious.
#[must_use]
pub fn printable(text: &str) -> String {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || is_unsafe(c) || c == '"' || c == '=') {
        format!("{text:?}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            [4, 5, 119, 120, 7_199, 7_200, 172_800].map(age_in_words),
            [
                "just now",
                "5 seconds ago",
                "119 seconds ago",
                "2 minutes ago",
                "119 minutes ago",
                "2 hours ago",
                "2 days ago"
            ]
        );
        assert_eq!(
            [0, 1023, 1024, 1_048_575, 1_503_238_553].map(bytes_in_words),
            ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.4 GiB"]
        );
        assert_eq!(bytes_in_words(u64::MAX), "16.0 EiB");
        assert_eq!(
            [0.004, 0.9996, 1.23, 59.96, 192.0, 7_500.0, f64::NAN].map(duration_in_words),
            ["4 ms", "1.0 s", "1.2 s", "1 min 00 s", "3 min 12 s", "2 h 05 min", "?"]
        );
        assert_eq!((count(1, "row"), count(2_000, "row")), ("1 row".to_owned(), "2,000 rows".to_owned()));
        assert_eq!(
            ["B01", "a b", "", "\x1b[2J", "\u{9b}2J", "a\u{202e}b"].map(printable),
            ["B01", "\"a b\"", "\"\"", "\"\\u{1b}[2J\"", "\"\\u{9b}2J\"", "\"a\\u{202e}b\""]
        );
    }
}
