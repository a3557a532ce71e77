#![allow(clippy::unwrap_used)]

use super::*;
use crate::exit_code::ExitCode;

fn text(report: &dyn Report, json: bool) -> String {
    let mut out = Vec::new();
    render(report, json, false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<const N: usize>(mut names: [&str; N]) -> Vec<&str> {
    names.sort_unstable();
    names.to_vec()
}

fn summary(name: &str, rows: u64) -> SummaryRefresh {
    SummaryRefresh {
        name: name.into(),
        table: format!("t_{name}"),
        status: RunStatus::Ok,
        rows: Some(rows),
        inserted: 12,
        updated: 3,
        deleted: 0,
        seconds: 1.2,
        error: None,
        changed: Values::new(),
    }
}

fn refresh() -> RefreshReport {
    RefreshReport {
        run_id: Some("17".into()),
        status: RunStatus::Ok,
        seconds: 2.5,
        sets: vec![SetRefresh {
            set: "financials".into(),
            mode: Mode::Incremental,
            status: RunStatus::Ok,
            seconds: 2.5,
            partitions: 2,
            summaries: vec![summary("asin", 144_000), summary("brand", 900)],
            error: None,
            reason: Some("--partition".into()),
            retries: 1,
        }],
        hooks: vec![],
    }
}

fn sample(kind: Difference, asin: &str, column: Option<&str>) -> Sample {
    Sample {
        kind,
        key: Key(vec![
            ("month".into(), Some("2024-05-01".into())),
            ("asin".into(), Some(asin.into())),
            ("a".into(), None),
        ]),
        column: column.map(Into::into),
        expected: column.map(|_| "12.00".into()),
        actual: column.map(|_| "13.00".into()),
    }
}

fn verify() -> VerifyReport {
    VerifyReport {
        status: Verdict::Differs,
        conservation: vec![Imbalance {
            summary: "financials.brand".into(),
            partition: "2024-05-01".into(),
            column: "amount".into(),
            expected: Some("12.00".into()),
            actual: Some("13.00".into()),
        }],
        totals_checked: 108,
        summaries: vec![SummaryVerify {
            name: "financials.asin".into(),
            table: "t".into(),
            partitions_checked: 36,
            pending: 1,
            missing: 1,
            extra: 0,
            different: 12,
            samples: vec![
                sample(Difference::Missing, "B 1", None),
                sample(Difference::Different, "B2", Some("amount")),
                sample(Difference::Different, "B2", Some("row_count")),
            ],
        }],
    }
}

#[test]
fn refresh_table() {
    assert_eq!(
        text(&refresh(), false),
        "financials.asin   144,000 rows  +12 ~3 −0  1.2 s\n\
         financials.brand      900 rows  +12 ~3 −0  1.2 s\n\
         Refreshed 2 partitions in 2.5 s: +24 ~6 −0, 1 error retried.\n"
    );

    let mut failed = refresh();
    failed.status = RunStatus::Failed;
    failed.sets[0].status = RunStatus::Failed;
    failed.sets[0].summaries.clear();
    failed.sets[0].error = Some("connection refused".into());
    assert_eq!(
        text(&failed, false),
        "financials  failed\nfinancials: connection refused\nFailed after 2.5 s; nothing was published.\n"
    );

    let noop =
        RefreshReport { run_id: None, status: RunStatus::Noop, seconds: 0.004, sets: vec![], hooks: vec![] };
    assert_eq!(text(&noop, false), "Nothing to do: all summaries are current (4 ms).\n");
}

#[test]
fn refresh_json() {
    let text = text(&refresh(), true);
    assert!(text.starts_with("{\"schema\":1,\"run_id\":\"17\",\"status\":\"ok\",\"seconds\":2.5,"));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&value), sorted(["schema", "run_id", "status", "seconds", "sets", "hooks"]));
    let set = &value["sets"][0];
    assert_eq!(
        keys(set),
        sorted(["set", "mode", "status", "seconds", "partitions", "summaries", "error", "reason", "retries"])
    );
    assert_eq!(set["mode"], "incremental");
    assert_eq!(
        keys(&set["summaries"][0]),
        sorted(["name", "table", "status", "rows", "inserted", "updated", "deleted", "seconds", "error"])
    );
}

fn status() -> StatusReport {
    StatusReport {
        summaries: vec![
            SummaryStatus {
                set: "financials".into(),
                name: "asin".into(),
                table: "t".into(),
                kind: "table".into(),
                tier: 1,
                rows: Some(144_000),
                bytes: Some(1_503_238_553),
                refreshed_at: Some("2025-03-01T03:00:00Z".into()),
                age_seconds: Some(187),
                pending_partitions: Some(0),
                pending_at_least: false,
                pending_everything: false,
                next_due: None,
                note: None,
                state: State::Fresh,
                settled: State::Fresh,
                tracking: Some("triggers".into()),
                last_run: Some(LastRun {
                    run_id: "17".into(),
                    mode: Mode::Complete,
                    status: RunStatus::Ok,
                    seconds: 192.0,
                    inserted: 5,
                    updated: 0,
                    deleted: 1,
                }),
            },
            SummaryStatus {
                set: "financials".into(),
                name: "brand".into(),
                table: "t".into(),
                kind: "table".into(),
                tier: 2,
                rows: None,
                bytes: None,
                refreshed_at: None,
                age_seconds: None,
                pending_partitions: None,
                pending_at_least: false,
                pending_everything: false,
                next_due: None,
                note: None,
                state: State::Never,
                settled: State::Never,
                tracking: None,
                last_run: None,
            },
        ],
        warnings: vec!["a door is open".into()],
    }
}

#[test]
fn status_forms() {
    let report = status();
    assert_eq!(
        text(&report, false),
        "summary           tier     rows     size  refreshed              pending  state  last run\n\
         financials.asin      1  144,000  1.4 GiB  3 minutes ago (187 s)        0  fresh  complete, 3 min 12 s, +5 ~0 −1\n\
         financials.brand     2        –        –  –                            –  never  –\n\
         warning: a door is open\n"
    );
    let mut waiting = report.clone();
    waiting.summaries[1].pending_everything = true;
    assert!(text(&waiting, false).contains("    all  never  –\n"), "{}", text(&waiting, false));
    let mut coloured = Vec::new();
    render(&report, false, true, &mut coloured).unwrap();
    assert!(String::from_utf8(coloured).unwrap().contains("\u{1b}["));

    let value: serde_json::Value = serde_json::from_str(&text(&report, true)).unwrap();
    assert_eq!(keys(&value), sorted(["schema", "summaries", "warnings"]));
    assert_eq!(
        keys(&value["summaries"][0]),
        sorted([
            "set",
            "name",
            "table",
            "kind",
            "tier",
            "rows",
            "bytes",
            "refreshed_at",
            "age_seconds",
            "pending_partitions",
            "pending_at_least",
            "pending_everything",
            "next_due",
            "note",
            "state",
            "tracking",
            "last_run"
        ])
    );
    assert_eq!(
        keys(&value["summaries"][0]["last_run"]),
        sorted(["run_id", "mode", "status", "seconds", "inserted", "updated", "deleted"])
    );
    assert!(value["summaries"][1]["rows"].is_null());
    assert_eq!(value["summaries"][1]["state"], "never");
}

#[test]
fn verify_table() {
    assert_eq!(
        text(&verify(), false),
        "financials.asin  differs  36 partitions, 1 missing, 0 extra, 12 different, 1 pending\n\
         \n\
         financials.asin\n\
         \x20 missing    key: month=2024-05-01 asin=\"B 1\" a=NULL\n\
         \x20 different  key: month=2024-05-01 asin=B2 a=NULL  amount: expected 12.00, actual 13.00; row_count: expected 12.00, actual 13.00\n\
         \x20 … and 11 more\n\
         \n\
         conservation\n\
         \x20 financials.brand 2024-05-01  amount: expected 12.00, actual 13.00\n"
    );

    let mut equal = verify();
    equal.conservation.clear();
    equal.summaries[0] =
        SummaryVerify { missing: 0, different: 0, pending: 0, samples: vec![], ..equal.summaries[0].clone() };
    assert_eq!(
        text(&equal, false),
        "financials.asin  ok  36 partitions\nconservation  ok (108 totals compared)\n"
    );
}

#[test]
fn verify_json() {
    let text = text(&verify(), true);
    assert!(text.contains(r#""key":{"month":"2024-05-01","asin":"B 1","a":null}"#), "{text}");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&value), sorted(["schema", "status", "conservation", "totals_checked", "summaries"]));
    assert_eq!(
        keys(&value["conservation"][0]),
        sorted(["summary", "partition", "column", "expected", "actual"])
    );
    assert_eq!(
        keys(&value["summaries"][0]),
        sorted([
            "name",
            "table",
            "partitions_checked",
            "pending",
            "missing",
            "extra",
            "different",
            "samples"
        ])
    );
    assert_eq!(
        keys(&value["summaries"][0]["samples"][1]),
        sorted(["kind", "key", "column", "expected", "actual"])
    );
    assert_eq!(value["status"], "differs");
}

#[test]
fn errors() {
    let error = |json| {
        let mut out = Vec::new();
        write_error(json, ExitCode::Locked, "locked", Some("wait"), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(error(false), "dashagg: locked\n  hint: wait\n");
    let value: serde_json::Value = serde_json::from_str(&error(true)).unwrap();
    assert_eq!(
        value,
        serde_json::json!({"schema": 1, "error": {"code": 11, "message": "locked", "hint": "wait"}})
    );
}
