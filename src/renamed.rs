//! Keys that had another name once: a file that still has it is told the new one.

/// Old and new names of a manifest's keys.
pub const MANIFEST: &[(&str, &str)] = &[
    ("grain", "recompute_by"),
    ("log", "track_columns"),
    ("conserve", "reconcile"),
    ("clock", "time_dependent"),
];

/// Old and new names of the configuration's keys.
pub const CONFIG: &[(&str, &str)] = &[("bump", "increment")];

/// What to do about a parser's message, if what it calls unknown is an old name.
pub fn hint(message: &str, renamed: &[(&str, &str)]) -> Option<String> {
    let field = message.strip_prefix("unknown field `")?.split('`').next()?;
    let (old, new) = renamed.iter().find(|(old, _)| *old == field)?;
    Some(format!("`{old}` is called `{new}` now, with the same meaning: rename the key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unknown_old_name_gets_a_hint() {
        let hint = |message| hint(message, MANIFEST);
        assert_eq!(
            hint("unknown field `grain`, expected one of `key`, `recompute_by`").as_deref(),
            Some("`grain` is called `recompute_by` now, with the same meaning: rename the key")
        );
        assert_eq!(hint("unknown field `grains`, expected `grain`"), None);
        assert_eq!(hint("invalid type: `grain`"), None);
    }
}
