//! `[[hooks]]`: what happens after a publish that changed something.

use std::time::Duration;

use super::Secret;
use super::span::Span;
use crate::error::Failure;

/// One `[[hooks]]` section, word for word.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HookSection {
    pub on: Vec<String>,
    pub command: Option<Vec<String>>,
    // Both may hold a token.
    pub webhook: Option<Secret>,
    pub redis: Option<Secret>,
    pub notify: Option<String>,
    pub timeout: Option<Span>,
    pub delete: Vec<String>,
    pub increment: Vec<String>,
    pub warm: Vec<WarmSection>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmSection {
    pub key: String,
    pub query: String,
    pub ttl: Span,
    pub stagger: Option<Span>,
}

/// What happens after a publish that changed something.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Sets (`crm`) or summaries (`crm.mv_daily_metrics`) that it is about; empty: all.
    pub on: Vec<String>,
    /// What it does.
    pub action: Action,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a hook does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a program, with the report of the run on its standard input.
    Command(Vec<String>),
    /// Posts the report of the run.
    Webhook(Secret),
    /// Sends NOTIFY on a channel, with the names of what changed.
    Notify(String),
    /// Clears, and fills again, keys of a cache.
    Redis(Cache),
}

/// A cache, and what happens to its keys.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Its URL.
    pub url: Secret,
    /// Patterns of keys to remove.
    pub delete: Vec<String>,
    /// Counters to raise by one.
    pub increment: Vec<String>,
    /// Queries to put into keys.
    pub warm: Vec<Warm>,
}

/// A query whose answer is put into a key.
#[derive(Clone, Debug)]
pub struct Warm {
    /// The key.
    pub key: String,
    /// The query; its answer is stored as a JSON array of objects.
    pub query: String,
    /// How long the key lives.
    pub ttl: Duration,
    /// Up to this much is added, other for each key, so that not all keys end at once.
    pub stagger: Duration,
}

impl Hook {
    /// # Errors
    /// A section that names no action, or several (exit code 2).
    pub(super) fn read(at: usize, section: HookSection) -> Result<Self, Failure> {
        let bad = |what: &str| {
            Failure::usage(format!("hooks, section {}: {what}", at + 1))
                .hint("config.example.toml shows one of each kind")
        };
        let caches = !(section.delete.is_empty() && section.increment.is_empty() && section.warm.is_empty());
        let given = [
            section.command.is_some(),
            section.webhook.is_some(),
            section.notify.is_some(),
            section.redis.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(bad("name one of command, webhook, notify and redis"));
        }
        if caches != section.redis.is_some() {
            return Err(bad("delete, increment and warm belong to redis, which needs one of them"));
        }
        let action = match (section.command, section.webhook, section.notify, section.redis) {
            (Some(command), ..) if command.is_empty() => return Err(bad("command is empty")),
            (Some(command), ..) => Action::Command(command),
            (_, Some(url), ..) => Action::Webhook(url),
            (_, _, Some(channel), _) => Action::Notify(channel),
            (_, _, _, Some(url)) => Action::Redis(Cache {
                url,
                delete: section.delete,
                increment: section.increment,
                warm: section
                    .warm
                    .into_iter()
                    .map(|warm| Warm {
                        key: warm.key,
                        query: warm.query,
                        ttl: warm.ttl.0,
                        stagger: warm.stagger.map_or(Duration::ZERO, |span| span.0),
                    })
                    .collect(),
            }),
            _ => return Err(bad("name one of command, webhook, notify and redis")),
        };
        let timeout = section.timeout.map_or(Duration::from_secs(10), |span| span.0);
        Ok(Self { on: section.on, action, timeout })
    }

    /// Whether it is about a summary.
    pub fn is_about(&self, set: &str, summary: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|name| name == set || *name == format!("{set}.{summary}"))
    }

    /// Names in braces, whose changed values it wants.
    pub fn columns(&self) -> Vec<String> {
        let Action::Redis(cache) = &self.action else { return Vec::new() };
        let warm = cache.warm.iter().flat_map(|warm| [&warm.key, &warm.query]);
        let texts = cache.delete.iter().chain(&cache.increment).chain(warm);
        let mut columns: Vec<String> = texts.flat_map(|text| placeholders(text)).collect();
        columns.sort();
        columns.dedup();
        columns
    }
}

/// The names in braces of a text.
pub fn placeholders(text: &str) -> Vec<String> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}
