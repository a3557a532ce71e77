//! Time, as the manifest speaks of it: when a summary is due, when the clock moves its content, how far back its
//! partitions reach. Pure: the moment is always an argument.

use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// When `refresh --due` refreshes a summary.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At every multiple of this since 1970, so that cron's own jitter does not push a run to the next minute.
    Every(Duration),
    /// Once a day.
    At {
        /// Time of day. Where the clocks skip it, as much later; where they repeat it, the first time.
        time: Time,
        /// Where that is.
        zone: TimeZone,
    },
}

impl Schedule {
    /// Reads `every`, `at` and `timezone`.
    ///
    /// # Errors
    /// What is wrong, and with which key.
    pub fn parse(
        every: Option<&str>,
        at: Option<&str>,
        timezone: Option<&str>,
    ) -> Result<Option<Self>, String> {
        match (every, at) {
            (Some(_), Some(_)) => Err("every and at exclude each other".to_owned()),
            (Some(text), None) => {
                let every = humantime::parse_duration(text)
                    .ok()
                    .filter(|every| *every >= Duration::from_secs(1))
                    .ok_or_else(|| format!("every = \"{text}\": write a duration such as \"5m\""))?;
                Ok(Some(Self::Every(every)))
            }
            (None, Some(text)) => {
                let time = Time::strptime("%H:%M", text)
                    .map_err(|_| format!("at = \"{text}\": write a time of day such as \"02:00\""))?;
                Ok(Some(Self::At { time, zone: named_zone(timezone.unwrap_or("UTC"))? }))
            }
            (None, None) if timezone.is_some() => {
                Err("timezone says where `at` is; there is no `at`".to_owned())
            }
            (None, None) => Ok(None),
        }
    }

    /// The latest moment, not after `now`, at which a run was due.
    pub fn last(&self, now: SystemTime) -> SystemTime {
        match self {
            Self::Every(every) => multiple(*every, now, 0),
            Self::At { time, zone } => {
                let today = local(now, zone).date();
                [today, today.yesterday().unwrap_or(today)]
                    .into_iter()
                    .filter_map(|day| on_day(day, *time, zone))
                    .find(|moment| *moment <= now)
                    .unwrap_or(SystemTime::UNIX_EPOCH)
            }
        }
    }

    /// The first moment after `now` at which a run is due.
    pub fn next(&self, now: SystemTime) -> SystemTime {
        match self {
            Self::Every(every) => multiple(*every, now, 1),
            Self::At { time, zone } => {
                let today = local(now, zone).date();
                [today, today.tomorrow().unwrap_or(today)]
                    .into_iter()
                    .filter_map(|day| on_day(day, *time, zone))
                    .find(|moment| *moment > now)
                    .unwrap_or(now)
            }
        }
    }

    /// Whether a run is due that has not been served since. A summary that missed many is due once; one served in the
    /// future was served before the clock was put back, and nobody knows when.
    pub fn is_due(&self, served: Option<SystemTime>, now: SystemTime) -> bool {
        served.is_none_or(|served| served < self.last(now) || served > now)
    }
}

/// How a summary's content moves with the clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Clock {
    /// All the time; worth a refresh after this long.
    Every(Duration),
    /// When the local date changes.
    Midnight(TimeZone),
}

impl Clock {
    /// Content that moves at midnight in a named time zone.
    ///
    /// # Errors
    /// A zone that does not exist.
    pub fn midnight(zone: &str) -> Result<Self, String> {
        named_zone(zone).map(Self::Midnight)
    }

    /// Whether content computed at `then` may differ now although no row changed.
    pub fn has_moved(&self, then: SystemTime, now: SystemTime) -> bool {
        match self {
            // An error: the clock was put back.
            Self::Every(every) => now.duration_since(then).map_or(true, |age| age >= *every),
            Self::Midnight(zone) => local(then, zone).date() != local(now, zone).date(),
        }
    }
}

/// How far back a summary's partitions reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Whole days before today.
    Days(i32),
    /// Whole calendar months before the current one.
    Months(i32),
}

impl Keep {
    /// Reads "24 months", "90 days", "2 years" or "8 weeks".
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("keep = \"{text}\": write a span such as \"24 months\" or \"90 days\"");
        let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let number: i32 = number.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(wrong)?;
        match unit.trim().trim_end_matches('s') {
            "day" => Ok(Self::Days(number)),
            "week" => Ok(Self::Days(number * 7)),
            "month" => Ok(Self::Months(number)),
            "year" => Ok(Self::Months(number * 12)),
            _ => Err(wrong()),
        }
    }

    /// Whether this reaches back at least as far as `other`, for certain.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Days(own), Self::Days(other)) | (Self::Months(own), Self::Months(other)) => own >= other,
            // Months begin on their first day, and have at least 28.
            (Self::Months(own), Self::Days(other)) => own * 28 >= other,
            (Self::Days(own), Self::Months(other)) => own >= (other + 1) * 31,
        }
    }

    /// The first date that is kept (UTC), as `YYYY-MM-DD`: partitions before it leave the summary.
    pub fn first(self, now: SystemTime) -> String {
        let today = local(now, &TimeZone::UTC).date();
        let first = match self {
            Self::Days(days) => today.checked_sub(days.days()),
            Self::Months(months) => today.first_of_month().checked_sub(months.months()),
        };
        first.unwrap_or(Date::MIN).to_string()
    }
}

/// Reads "50 MB": k, M and G are powers of 1,000, and of 1,024 with an i between.
///
/// # Errors
/// Anything else.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("max_bytes = \"{text}\": write a size such as \"50 MB\"");
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
    let number: u64 = text[..digits].replace('_', "").parse().map_err(|_| wrong())?;
    let factor: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

fn named_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("there is no time zone '{name}'; write one such as \"Australia/Sydney\""))
}

fn local(moment: SystemTime, zone: &TimeZone) -> Zoned {
    Timestamp::try_from(moment).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

fn on_day(day: Date, time: Time, zone: &TimeZone) -> Option<SystemTime> {
    day.to_datetime(time).to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp().into())
}

fn multiple(every: Duration, now: SystemTime, ahead: u64) -> SystemTime {
    let step = every.as_millis().max(1);
    let since = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let at = (since / step + u128::from(ahead)) * step;
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(u64::MAX / 2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    fn daily(time: &str, zone: &str) -> Schedule {
        Schedule::parse(None, Some(time), Some(zone)).unwrap().unwrap()
    }

    /// A cron line a minute, from one moment to another: the minutes at which the schedule asks for a run.
    fn served(schedule: &Schedule, from: &str, to: &str, skip: impl Fn(u64) -> bool) -> Vec<String> {
        let (mut now, to) = (at(from), at(to));
        let mut last = Some(now);
        let mut runs = Vec::new();
        let mut minute = 0;
        while now < to {
            now += Duration::from_secs(60);
            minute += 1;
            if !skip(minute) && schedule.is_due(last, now) {
                runs.push(humantime::format_rfc3339_seconds(now).to_string());
                last = Some(now + Duration::from_secs(2));
            }
        }
        runs
    }

    #[test]
    fn a_simulated_day_runs_each_schedule_as_often_as_it_says() {
        let (from, to) = ("2026-03-01T00:00:30Z", "2026-03-02T00:00:30Z");
        for (every, times) in [("5m", 288), ("15m", 96), ("1h", 24), ("2m", 720)] {
            let schedule = Schedule::parse(Some(every), None, None).unwrap().unwrap();
            assert_eq!(served(&schedule, from, to, |_| false).len(), times, "every {every}");
        }
        let night = daily("02:00", "Asia/Riyadh");
        assert_eq!(served(&night, from, to, |_| false), ["2026-03-01T23:00:30Z"]);
    }

    #[test]
    fn missed_runs_are_caught_up_once() {
        let every = Schedule::parse(Some("5m"), None, None).unwrap().unwrap();
        let (from, to) = ("2026-03-01T00:00:30Z", "2026-03-01T02:00:30Z");
        // Down from minute 10 to minute 70: one run at its end, then on as before.
        let runs = served(&every, from, to, |minute| (10..70).contains(&minute));
        assert_eq!(runs.len(), 1 + 1 + 10, "{runs:?}");
        assert_eq!(runs[1], "2026-03-01T01:10:30Z");
        let night = daily("02:00", "UTC");
        let runs =
            served(&night, "2026-03-01T00:00:30Z", "2026-03-05T00:00:30Z", |m| (60..3000).contains(&m));
        assert_eq!(runs, ["2026-03-03T02:00:30Z", "2026-03-04T02:00:30Z"]);
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        let (tomorrow, now) = (at("2026-03-02T10:00:00Z"), at("2026-03-01T10:00:10Z"));
        let every = Schedule::parse(Some("5m"), None, None).unwrap().unwrap();
        assert!(every.is_due(Some(tomorrow), now) && daily("02:00", "UTC").is_due(Some(tomorrow), now));
        assert!(Clock::Every(Duration::from_secs(60)).has_moved(tomorrow, now));
    }

    #[test]
    fn a_time_of_day_that_the_clocks_skip_or_repeat_runs_once() {
        // Sydney: forward at 02:00 on 2026-10-04, back at 03:00 on 2026-04-05.
        let schedule = daily("02:30", "Australia/Sydney");
        let skipped = served(&schedule, "2026-10-03T00:00:30Z", "2026-10-05T00:00:30Z", |_| false);
        assert_eq!(skipped, ["2026-10-03T16:30:30Z", "2026-10-04T15:30:30Z"]);
        let repeated = served(&schedule, "2026-04-04T00:00:30Z", "2026-04-06T00:00:30Z", |_| false);
        assert_eq!(repeated, ["2026-04-04T15:30:30Z", "2026-04-05T16:30:30Z"]);
        assert_eq!(schedule.next(at("2026-04-05T00:00:00Z")), at("2026-04-05T16:30:00Z"));
    }

    #[test]
    fn the_clock_moves_content_at_local_midnight_or_all_the_time() {
        let sydney = Clock::midnight("Australia/Sydney").unwrap();
        assert!(!sydney.has_moved(at("2026-06-01T14:30:00Z"), at("2026-06-02T13:59:59Z")));
        assert!(sydney.has_moved(at("2026-06-02T13:59:59Z"), at("2026-06-02T14:00:00Z")));
        assert!(
            Clock::Every(Duration::from_secs(60))
                .has_moved(at("2026-06-01T00:00:00Z"), at("2026-06-01T00:01:00Z"))
        );
        assert!(Clock::midnight("Mars/Olympus").is_err());
    }

    #[test]
    fn spans_and_sizes() {
        assert_eq!(Keep::parse("24 months").unwrap().first(at("2026-11-22T08:00:00Z")), "2024-11-01");
        assert_eq!(Keep::parse("1 year").unwrap().first(at("2024-02-29T00:00:00Z")), "2023-02-01");
        assert_eq!(Keep::parse("90 days").unwrap().first(at("2026-03-31T00:00:00Z")), "2025-12-31");
        assert!(Keep::parse("soon").is_err() && Keep::parse("0 days").is_err());
        assert_eq!(bytes("50 MB"), Ok(50_000_000));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert!(bytes("big").is_err());
        assert!(Schedule::parse(Some("5m"), Some("02:00"), None).is_err());
        assert!(Schedule::parse(None, Some("25:00"), None).is_err());
        assert!(Schedule::parse(None, None, Some("UTC")).is_err());
    }
}
