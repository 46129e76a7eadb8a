//! What the binary can be told to do.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use service::{EXIT_BAD_CONFIG, Secret, Shutdown, config::Problems, output::print_line, telemetry, traces};

pub use self::doctor::{Doctor, doctor};
use self::keys_status::KeysStatus;
use crate::{
    config::Config,
    edge,
    keys::KeyRing,
    reload::{Reload, Source, load},
};

mod doctor;
mod keys_status;
mod why;

/// The subcommands.
#[derive(Debug, Default, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM (the default).
    #[default]
    Serve,
    /// Check the configuration: list every problem and exit 64, or print what is in force. Opens nothing.
    Check,
    /// Try everything the proxy depends on, and say what is wrong and what to do. Exits 1 when something is, and 64 for a
    /// bad configuration.
    Doctor(Doctor),
    /// Ask the proxy that runs on this machine with this configuration whether it is alive; exits 0 or 1. For containers.
    Healthcheck {
        /// Ask whether it can serve, too (`/readyz`).
        #[arg(long)]
        ready: bool,
    },
    /// Make keys for the vault, or see which are in use.
    Keys(Keys),
}

/// `keys`
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// Print one new line for `vault.keys_file`. Put it first; the older lines still open what they sealed.
    Generate {
        /// Write it to this file instead, which only its owner may read. A file that exists is left as it is.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Count the records in Valkey by the key that sealed them. Exits 1 when the key of some record is not configured.
    Status {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// Exit code when Valkey does not answer (`EX_UNAVAILABLE`).
const EXIT_UNAVAILABLE: u8 = 69;

/// Runs the proxy.
#[must_use]
pub fn serve(source: Source) -> ExitCode {
    let (raw, config) = match load(&source) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    let (filter, export) = match telemetry::init(config.log.format, &config.log.filter, &config.traces) {
        Ok(begun) => begun,
        Err(error) => return fail(&error),
    };
    // One provider for every TLS connection of the process; already set only if something of ours did it before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // The serving threads have runtimes of their own; this one is for what runs beside the requests.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::on_signals()?;
        edge::run(config, Reload::new(source, raw, filter)?, shutdown).await.map_err(std::io::Error::from)
    });
    // Nothing is served any more: whatever was recorded is in the queue.
    export.into_iter().for_each(traces::Export::finish);
    match outcome {
        Ok(drained) => {
            tracing::info!(cut = drained.cut, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Checks the configuration and prints what is in force, secrets redacted.
#[must_use]
pub fn check(source: &Source) -> ExitCode {
    match load(source) {
        Ok((raw, _)) => match toml::to_string(&raw) {
            Ok(text) => {
                print_line(&text);
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Err(problems) => refuse(&problems),
    }
}

/// Makes keys, or tells which are in use.
#[must_use]
pub fn keys(keys: &Keys, source: &Source) -> ExitCode {
    match &keys.action {
        KeysAction::Generate { to: None } => {
            print_line(KeyRing::generate_line().expose());
            ExitCode::SUCCESS
        }
        KeysAction::Generate { to: Some(file) } => match write_new(file, &KeyRing::generate_line()) {
            Ok(written) => {
                print_line(format!(
                    "{} {}",
                    file.display(),
                    if written { "written" } else { "kept as it is" }
                ));
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        KeysAction::Status { json } => match load(source) {
            Ok((_, config)) => keys_status(&config, *json),
            Err(problems) => refuse(&problems),
        },
    }
}

/// Asks the running proxy how it is.
#[must_use]
pub fn healthcheck(ready: bool, source: &Source) -> ExitCode {
    let (_, config) = match load(source) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    match service::admin::healthcheck(config.server.admin_listen, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Whether the file was written; not, when there is one: its keys are in use.
fn write_new(file: &Path, line: &Secret) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut file) => writeln!(file, "{}", line.expose()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn keys_status(config: &Config, json: bool) -> ExitCode {
    let Some(valkey) = &config.valkey else {
        return fail(&NoValkey);
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let status = runtime.block_on(async {
        let store = edge::open_valkey(valkey).await.map_err(std::io::Error::other)?;
        KeysStatus::of(&store, &config.vault.keys).await.map_err(std::io::Error::other)
    });
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            fail(&error);
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    let text = if json { serde_json::to_string(&status) } else { Ok(status.to_string()) };
    match text {
        Ok(text) => print_line(&text),
        Err(error) => return fail(&error),
    }
    if status.lacks_a_key() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// There is nothing to look at.
#[derive(Debug, thiserror::Error)]
#[error("no valkey configured: what the proxy keeps in its memory cannot be counted from here")]
struct NoValkey;

#[expect(clippy::print_stderr, reason = "there is no log before the configuration is read")]
fn refuse(problems: &Problems) -> ExitCode {
    eprintln!("the configuration has problems:\n{problems}");
    ExitCode::from(EXIT_BAD_CONFIG)
}

#[expect(clippy::print_stderr, reason = "the log may not be there yet")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("mcp-edge-proxy: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because {cause}");
        source = cause.source();
    }
    ExitCode::FAILURE
}
