//! plane-mcp-adapter: arguments → configuration → (check) → telemetry → run.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use adapter::config::Config;
use adapter::reload::Reload;
use adapter::{Arguments, Command, Listeners, doctor, failure_text, run};
use clap::Parser;
use service::reload::Source;
use service::{EXIT_BAD_CONFIG, Shutdown, SystemClock, telemetry, traces};

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
    match serve(source, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plane-mcp-adapter: {}", failure_text(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn serve(source: Source, config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let (filter, export) = telemetry::init(config.log.format, &config.log.filter, &config.traces)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let reload = Reload::new(source, &config, filter)?;
        let listeners = Listeners::bind(&config.server).await?;
        run(config, listeners, Arc::new(SystemClock), shutdown, Some(reload)).await?;
        Ok(())
    });
    // Nothing is served any more: whatever was recorded is in the queue.
    export.into_iter().for_each(traces::Export::finish);
    served
}
