//! `doctor --why`: why the last sessions of a user ended, from what the vault remembers of them.

use std::process::ExitCode;
use std::sync::Arc;

use service::output::print_line;
use service::{Clock, EXIT_BAD_CONFIG, SystemClock};

use self::account::Account;
use super::EXIT_UNAVAILABLE;
use crate::config::Config;
use crate::edge;
use crate::reload::{Source, load};
use crate::vault::history::Archive;

mod account;
mod fate;

/// Tells, or says why it cannot be told.
pub(super) fn why(who: &str, json: bool, source: &Source) -> ExitCode {
    let config = match load(source) {
        Ok((_, config)) => config,
        Err(problems) => {
            super::refuse(&problems);
            return ExitCode::from(EXIT_BAD_CONFIG);
        }
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(&error),
    };
    let account = match runtime.block_on(told(who, config)) {
        Ok(account) => account,
        Err(cannot) => {
            // A machine that asked for JSON gets some, whatever came of it.
            if json {
                print_line(serde_json::json!({ "error": cannot.to_string() }));
            }
            super::fail(&cannot);
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    };
    let text = if json { serde_json::to_string(&account) } else { Ok(account.to_string()) };
    match text {
        Ok(text) => print_line(&text),
        Err(error) => return super::fail(&error),
    }
    if account.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
enum Cannot {
    #[error(
        "no valkey configured: sessions are in the memory of the running proxy, which alone knows; its log has one line \
         \"session ended\" with sid and reason for each"
    )]
    InMemory,
    #[error(
        "nothing is remembered: vault.history_days is 0; the log has one line \"session ended\" for each"
    )]
    Off,
    #[error("valkey does not answer, and it is where this is remembered; `mcp-edge-proxy doctor` says more")]
    Valkey(#[source] Box<dyn std::error::Error + Send + Sync>),
}

async fn told(who: &str, config: Config) -> Result<Account, Cannot> {
    let Some(valkey) = &config.valkey else { return Err(Cannot::InMemory) };
    if config.vault.history.is_zero() {
        return Err(Cannot::Off);
    }
    let store = edge::open_valkey(valkey).await.map_err(|error| Cannot::Valkey(error.into()))?;
    let archive = Archive::new(Arc::new(store), config.vault.keys);
    let account = Account::of(who, &archive, SystemClock.unix()).await;
    account.map_err(|down| Cannot::Valkey(down.into()))
}
