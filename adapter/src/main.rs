//! plane-mcp-adapter: arguments → configuration → (check) → telemetry → run.

use std::collections::BTreeMap;
use std::process::ExitCode;

use adapter::config::Config;
use adapter::{Arguments, Command, doctor, failure_text, serve};
use clap::Parser;
use service::{EXIT_BAD_CONFIG, admin::healthcheck, reload::Source};

#[expect(clippy::print_stderr, reason = "this is the command line")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The environment is read once, here, and passed in.
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let source = Source { file: arguments.config, env };
    let command = arguments.command.unwrap_or_default();
    if let Command::Doctor(how) = &command {
        return doctor(how, &source);
    }
    let config = match Config::read(&source) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    if matches!(command, Command::Check) {
        service::output::print_line(&config.effective);
        return ExitCode::SUCCESS;
    }
    let outcome = match command {
        Command::Healthcheck { ready } => healthcheck(config.server.admin_listen, ready).map_err(Into::into),
        _ => serve(source, config),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plane-mcp-adapter: {}", failure_text(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
