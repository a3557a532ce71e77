//! A Redis cache: counters raised, keys removed by pattern, and listed queries put into keys again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;
use serde_json::{Map, Value};

use super::MOST_VALUES;
use crate::checksum;
use crate::config::hooks::{Cache, Warm, placeholders};
use crate::engine::{Engine, Tx};
use crate::report::Values;
use crate::session::Context;

/// Keys that one SCAN looks at, and one UNLINK removes: small steps keep the server answering others.
const BATCH: usize = 500;

/// Raises counters, removes keys, fills others. `foreign`: names that nothing which changed has a column for.
///
/// # Errors
/// A server that does not do it; a text whose keys cannot be named, once everything else is done.
pub(super) async fn run(
    context: &Context,
    cache: &Cache,
    values: &Values,
    foreign: &BTreeSet<String>,
) -> Result<()> {
    // The client's own error would repeat the URL.
    let client = redis::Client::open(cache.url.expose())
        .map_err(|_| anyhow::anyhow!("the URL is not one of a Redis server"))?;
    let mut connection =
        client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
    // What cannot be named is said at the end: it keeps nothing else from being done.
    let mut unnamed = None;
    for text in &cache.increment {
        match expand(text, values, &plain) {
            Some(keys) => {
                for key in keys {
                    let _: i64 = redis::cmd("INCR").arg(&key).query_async(&mut connection).await?;
                }
            }
            None => unnamed = unnamed.or(Some(text)),
        }
    }
    for text in &cache.delete {
        if placeholders(text).iter().any(|name| foreign.contains(name)) {
            unnamed = unnamed.or(Some(text));
            continue;
        }
        for pattern in patterns(text, values) {
            remove(&mut connection, &pattern).await.with_context(|| format!("removing {pattern}"))?;
        }
    }
    if !cache.warm.is_empty() {
        let mut engine = context.connect().await?;
        let engine = engine.as_mut();
        engine.begin(Tx::Read).await?;
        for one in &cache.warm {
            let columns = placeholders(&one.key).into_iter().chain(placeholders(&one.query)).collect();
            match combinations(&columns, values) {
                Some(all) => fill(engine, &mut connection, one, all)
                    .await
                    .with_context(|| format!("warming {}", one.key))?,
                None => unnamed = unnamed.or(Some(&one.key)),
            }
        }
        engine.commit().await?;
    }
    match unnamed {
        None => Ok(()),
        Some(text) => Err(anyhow::anyhow!(
            "{text}: not done: more than {MOST_VALUES} keys would be meant, or what changed has no such column (say \
             with `on` which summaries the hook is about)"
        )),
    }
}

/// KEYS would stop the server for as long as it takes to look at every key; SCAN does not.
async fn remove(connection: &mut MultiplexedConnection, pattern: &str) -> Result<()> {
    let mut cursor: u64 = 0;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(BATCH)
            .query_async(connection)
            .await?;
        if !keys.is_empty() {
            let _: i64 = redis::cmd("UNLINK").arg(&keys).query_async(connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

async fn fill(
    engine: &mut dyn Engine,
    connection: &mut MultiplexedConnection,
    warm: &Warm,
    all: Vec<Vec<(String, String)>>,
) -> Result<()> {
    let d = engine.dialect();
    for chosen in all {
        let key = put(&warm.key, &chosen, &plain);
        let query = put(&warm.query, &chosen, &|value| d.literal(value));
        let rows = engine.query(&query).await?;
        let names = if rows.is_empty() { Vec::new() } else { engine.column_names(&query).await? };
        let answer: Vec<Value> = rows
            .into_iter()
            .map(|row| {
                let cells = names.iter().cloned().zip(row.into_iter().map(Value::from));
                Value::Object(cells.collect::<Map<String, Value>>())
            })
            .collect();
        let _: () = redis::cmd("SET")
            .arg(&key)
            .arg(Value::Array(answer).to_string())
            .arg("PX")
            .arg(millis(warm, &key))
            .query_async(connection)
            .await?;
    }
    Ok(())
}

/// The life of a key: the same each time, and other than its neighbours'.
fn millis(warm: &Warm, key: &str) -> u64 {
    let spread = warm.stagger.as_millis().max(1);
    let extra = u128::from(checksum::number(key).unsigned_abs()) % spread;
    let life = warm.ttl.max(Duration::from_millis(1)).as_millis() + extra;
    u64::try_from(life).unwrap_or(u64::MAX)
}

fn plain(value: &str) -> String {
    value.to_owned()
}

/// A value in a pattern means itself.
fn literally(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A pattern for every changed value; one with `*` where there are too many to name, or none is known.
fn patterns(text: &str, values: &Values) -> Vec<String> {
    match expand(text, values, &literally) {
        Some(named) if !named.is_empty() => named,
        _ => {
            let star = placeholders(text)
                .iter()
                .fold(text.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), "*"));
            vec![star]
        }
    }
}

/// The text for every changed value; `None` as with [`combinations`].
fn expand(text: &str, values: &Values, spell: &dyn Fn(&str) -> String) -> Option<Vec<String>> {
    let columns: BTreeSet<String> = placeholders(text).into_iter().collect();
    Some(combinations(&columns, values)?.into_iter().map(|chosen| put(text, &chosen, spell)).collect())
}

/// The text with its names replaced, in one pass: a value that looks like a name is only a value.
fn put(text: &str, chosen: &[(String, String)], spell: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, tail)| {
            chosen.iter().find(|(other, _)| other == name).map(|(_, value)| (value, tail))
        });
        match known {
            Some((value, tail)) => {
                out.push_str(&spell(value));
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Every combination of the changed values of some columns; `None` where there are too many, or values are not known.
fn combinations(columns: &BTreeSet<String>, values: &Values) -> Option<Vec<Vec<(String, String)>>> {
    let mut all: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for name in columns {
        let Some(Some(known)) = values.get(name) else { return None };
        if all.len() * known.len() > MOST_VALUES {
            return None;
        }
        all = all
            .into_iter()
            .flat_map(|chosen| {
                known.iter().map(move |value| {
                    let mut more = chosen.clone();
                    more.push((name.clone(), value.clone()));
                    more
                })
            })
            .collect();
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::from([
            ("org".to_owned(), Some(vec!["a*".to_owned(), "b".to_owned()])),
            ("many".to_owned(), None),
        ])
    }

    #[test]
    fn a_pattern_names_each_changed_value_and_nothing_else() {
        assert_eq!(patterns("d:{org}:*", &values()), ["d:a\\*:*", "d:b:*"]);
        assert_eq!(patterns("d:{many}:x", &values()), ["d:*:x"]);
        assert_eq!(patterns("d:*", &values()), ["d:*"]);
    }

    #[test]
    fn too_many_combinations_are_not_taken_for_none() {
        let hundred: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let values = Values::from([("a".to_owned(), Some(hundred.clone())), ("b".to_owned(), Some(hundred))]);
        assert_eq!(expand("{a}", &values, &plain).map(|keys| keys.len()), Some(100));
        assert_eq!(expand("{a}:{b}", &values, &plain), None);
        assert_eq!(expand("{c}", &values, &plain), None);
        assert_eq!(patterns("{a}:{b}", &values), ["*:*"]);
    }

    #[test]
    fn a_value_that_looks_like_a_name_is_only_a_value() {
        let chosen = [("name".to_owned(), "{org}".to_owned()), ("org".to_owned(), "; DROP".to_owned())];
        let text = put("a = {name} AND b = {org} AND {c}", &chosen, &|value| format!("'{value}'"));
        assert_eq!(text, "a = '{org}' AND b = '; DROP' AND {c}");
    }

    #[test]
    fn lives_of_keys_differ_and_stay_in_their_span() {
        let warm = Warm {
            key: String::new(),
            query: String::new(),
            ttl: Duration::from_secs(60),
            stagger: Duration::from_secs(30),
        };
        let lives: BTreeSet<u64> = (0..20).map(|n| millis(&warm, &format!("k{n}"))).collect();
        assert!(lives.len() > 10 && lives.iter().all(|life| (60_000..90_000).contains(life)), "{lives:?}");
    }
}
