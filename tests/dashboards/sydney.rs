//! Local days in `Australia/Sydney`: right across both changes of the clocks, from a session in any time zone.

use crate::sets::{assert_equals_independent, built, refresh};

#[test]
fn sydney_days_are_right_across_daylight_saving_postgres() {
    let db = built("crm", 500);
    let org =
        db.one("SELECT organization_id FROM orders WHERE organization_id IS NOT NULL ORDER BY id LIMIT 1");
    // Moment (UTC) and the Sydney day that it falls on. The clocks went back at 2026-04-04T16:00Z (03:00 → 02:00) and
    // forward at 2025-10-04T16:00Z (02:00 → 03:00).
    let cases = [
        ("2026-04-04T12:59:59.999Z", "2026-04-04"),
        ("2026-04-04T13:00:00Z", "2026-04-05"),
        ("2026-04-04T15:59:59Z", "2026-04-05"),
        ("2026-04-04T16:00:00Z", "2026-04-05"),
        ("2026-04-05T13:59:59.999Z", "2026-04-05"),
        ("2026-04-05T14:00:00Z", "2026-04-06"),
        ("2025-10-03T13:59:59.999Z", "2025-10-03"),
        ("2025-10-03T14:00:00Z", "2025-10-04"),
        ("2025-10-04T15:59:59Z", "2025-10-05"),
        ("2025-10-04T16:00:00Z", "2025-10-05"),
        ("2025-10-05T12:59:59.999Z", "2025-10-05"),
        ("2025-10-05T13:00:00Z", "2025-10-06"),
    ];
    let count = |view: &str, day: &str| -> u32 {
        db.one(&format!(
            "SELECT COALESCE(SUM(orders_count), 0) FROM {view} WHERE organization_id = '{org}' AND metric_date = '{day}'"
        ))
        .parse()
        .unwrap()
    };
    for (at, (moment, day)) in cases.iter().enumerate() {
        let before = ["mv_daily_metrics", "daily_metrics_table"].map(|view| count(view, day));
        // The writer's own time zone must not matter, nor the reader's.
        let zone = ["UTC", "America/New_York", "Australia/Sydney", "Pacific/Kiritimati"][at % 4];
        db.exec(&format!(
            "SET timezone = '{zone}'; INSERT INTO orders (organization_id, order_number, status, total, created_at) \
             VALUES ('{org}', 'DST-{at}', 'confirmed', 10, TIMESTAMPTZ '{moment}')"
        ));
        refresh(&db, "crm");
        for (view, before) in ["mv_daily_metrics", "daily_metrics_table"].into_iter().zip(before) {
            assert_eq!(count(view, day), before + 1, "{view}: {moment} belongs to {day}");
        }
    }
    assert_equals_independent(&db, "crm");
    db.dashagg().args(["verify", "crm"]).run().ok();
}
