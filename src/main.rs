//! The program: parse, run, exit code.

use clap::Parser;

fn main() -> std::process::ExitCode {
    // Test builds only: FAILPOINTS="name=sleep(1000)".
    let _failpoints = fail::FailScenario::setup();
    let cli = match dashagg::cli::Cli::try_parse() {
        Ok(cli) => cli,
        // The contract holds for a command line that cannot be read, too.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            return dashagg::usage_as_json(&error.to_string()).into();
        }
        // Not help, and not clap's own way out: it repeats arguments as they are, and those may come from a table.
        Err(error) if error.use_stderr() => return dashagg::usage_as_text(&error).into(),
        Err(error) => error.exit(),
    };
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(dashagg::run(cli)).into(),
        Err(error) => {
            eprintln!("error: starting the runtime: {error}");
            dashagg::exit_code::ExitCode::Failed.into()
        }
    }
}
