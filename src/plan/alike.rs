//! Values that differ as texts and may be one to the server: 'us' and 'US', 1.5 and 1.50, a date and its midnight. What is
//! one must be recomputed by one statement: by two, its rows would come twice.

use std::collections::{BTreeMap, BTreeSet};

use super::Tuple;
use crate::engine::statements::Value;

/// Which values stand for each other. To call too many alike costs a little; one too few is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alike {
    classes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Alike {
    /// Notes that a value of a column is in a class, which goes by the name of one of its values.
    pub fn add(&mut self, column: &str, value: &str, class: String) {
        if value != class {
            self.classes.entry(column.to_owned()).or_default().insert(value.to_owned(), class);
        }
    }

    /// Whether no two values are alike.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The class of a tuple.
    pub fn class(&self, columns: &[String], tuple: &Tuple) -> Tuple {
        let of = |(column, value): (&String, &Value)| {
            let known = value.as_ref().and_then(|text| self.classes.get(column)?.get(text));
            known.or(value.as_ref()).cloned()
        };
        columns.iter().zip(tuple).map(of).collect()
    }

    /// Those of `all` that are alike one of `tuples`.
    pub fn others(&self, columns: &[String], tuples: &BTreeSet<Tuple>, all: &[Tuple]) -> Vec<Tuple> {
        if self.is_empty() {
            return Vec::new();
        }
        let classes: BTreeSet<Tuple> = tuples.iter().map(|tuple| self.class(columns, tuple)).collect();
        all.iter().filter(|tuple| classes.contains(&self.class(columns, tuple))).cloned().collect()
    }

    /// Cuts tuples into chunks of about this size, of which none parts what is alike.
    pub fn cut(&self, columns: &[String], mut tuples: Vec<Tuple>, size: usize) -> Vec<Vec<Tuple>> {
        if self.is_empty() {
            return tuples.chunks(size).map(<[Tuple]>::to_vec).collect();
        }
        tuples.sort_by_cached_key(|tuple| (self.class(columns, tuple), tuple.clone()));
        let mut chunks: Vec<Vec<Tuple>> = Vec::new();
        for group in tuples.chunk_by(|a, b| self.class(columns, a) == self.class(columns, b)) {
            match chunks.last_mut().filter(|chunk| chunk.len() < size) {
                Some(chunk) => chunk.extend_from_slice(group),
                None => chunks.push(group.to_vec()),
            }
        }
        chunks
    }
}

/// A value without what engines add or leave out: zeros around a number, blanks at the end, a time of midnight.
pub fn plain(text: &str) -> String {
    let text = text.trim_end_matches(' ');
    if let Some(number) = plain_number(text) {
        return number;
    }
    let Some((date, time)) = text.split_once(' ') else { return text.to_owned() };
    let (time, zone) = time.split_at(time.find(['+', '-']).unwrap_or(time.len()));
    let time = if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time };
    let zone = if zone == "+00" { "" } else { zone };
    if time == "00:00:00" { format!("{date}{zone}") } else { format!("{date} {time}{zone}") }
}

fn plain_number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let sign = if digits.len() < text.len() { "-" } else { "" };
        return Some(match (whole, fraction) {
            ("", "") => "0".to_owned(),
            ("", fraction) => format!("{sign}0.{fraction}"),
            (whole, "") => format!("{sign}{whole}"),
            (whole, fraction) => format!("{sign}{whole}.{fraction}"),
        });
    }
    // With an exponent.
    text.parse::<f64>().ok().map(|number| format!("{number:?}"))
}

#[cfg(test)]
mod tests {
    use super::{Alike, plain};

    #[test]
    fn spellings_of_one_value_have_one_plain_form() {
        for (one, other) in [
            ("1.50", "1.5"),
            ("007", "7"),
            ("-0", "0"),
            ("0.00", "0"),
            ("2025-01-01 00:00:00", "2025-01-01"),
            ("2025-01-01 00:00:00+00", "2025-01-01"),
            ("2025-01-01 10:00:00.500000", "2025-01-01 10:00:00.5"),
            ("ab  ", "ab"),
            ("1e+20", "1e20"),
        ] {
            assert_eq!(plain(one), plain(other));
        }
        for (one, other) in
            [("1.5", "1.05"), ("10", "1"), ("9007199254740993", "9007199254740992"), ("a b", "a")]
        {
            assert_ne!(plain(one), plain(other));
        }
    }

    #[test]
    fn no_chunk_parts_what_is_alike() {
        let mut alike = Alike::default();
        alike.add("k", "US", "us".to_owned());
        let columns = ["k".to_owned()];
        let tuples = ["US", "de", "fr", "us"].map(|text| vec![Some(text.to_owned())]).to_vec();
        let chunks = alike.cut(&columns, tuples, 1);
        assert_eq!(chunks.len(), 3);
        assert!(chunks.iter().any(|chunk| chunk.len() == 2));
    }
}
