//! Where test builds can be told to stop: `FAILPOINTS="publish=sleep(1000)"`, as the crate `fail` has it. No other build can.

/// Stops here if this build and `FAILPOINTS` say so. Says that it does, so that nobody has to guess when.
/// `publish=return(/a/file)`: makes `/a/file.reached`, and goes on when `/a/file` is gone.
pub fn at(point: &str) {
    #[cfg(feature = "failpoints")]
    if fail::list().iter().any(|(name, _)| name == point) {
        tracing::info!("stopped at {point}");
    }
    fail::fail_point!(point, |file| {
        let file = std::path::PathBuf::from(file.unwrap_or_default());
        let _ = std::fs::write(file.with_extension("reached"), "");
        while file.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let _ = point;
}
