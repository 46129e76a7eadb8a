//! What can be said on the command line, and how an error is shown there.

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::doctor::Doctor;

/// Read-only Plane tools over MCP.
#[derive(Debug, Parser)]
#[command(name = "plane-mcp-adapter", version)]
pub struct Arguments {
    /// Configuration file (TOML)
    #[arg(long, env = "ADAPTER_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Default, Subcommand)]
pub enum Command {
    /// Serve MCP (the default)
    #[default]
    Serve,
    /// Report every problem of the configuration, or print what is in effect; opens no port
    Check,
    /// Try everything the adapter depends on, and say what is wrong and what to do. Exits 1 when something is, and 64 for a
    /// bad configuration
    Doctor(Doctor),
    /// Ask the adapter that runs on this machine with this configuration whether it is alive; exits 0 or 1. For containers
    Healthcheck {
        /// Ask whether it can serve, too (`/readyz`)
        #[arg(long)]
        ready: bool,
    },
}

/// An error with everything that led to it, on one line.
pub fn failure_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
