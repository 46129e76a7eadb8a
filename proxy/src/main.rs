//! `mcp-edge-proxy`: arguments → configuration → run. No rule of the business is in here.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::Parser;
use proxy::{
    command::{self, Command},
    reload::Source,
};

/// The edge for MCP: OAuth authorization server and identity-swapping reverse proxy.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The TOML file; every key can also come from the environment, as PROXY_SECTION__KEY.
    #[arg(long, env = "PROXY_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let source = Source { file: arguments.config, env };
    match arguments.command.unwrap_or_default() {
        Command::Serve => command::serve(source),
        Command::Check => command::check(&source),
        Command::Doctor(doctor) => command::doctor(&doctor, &source),
        Command::Healthcheck { ready } => command::healthcheck(ready, &source),
        Command::Keys(keys) => command::keys(&keys, &source),
    }
}
