//! The program from its configuration to its end.

use std::error::Error;
use std::sync::Arc;

use service::reload::Source;
use service::{Shutdown, SystemClock, telemetry, traces};

use crate::config::Config;
use crate::reload::Reload;
use crate::run::{Listeners, run};

/// Serves with `config`, which came from `source`, until SIGTERM.
///
/// # Errors
/// When logs, listeners or threads cannot be had.
pub fn serve(source: Source, config: Config) -> Result<(), Box<dyn Error>> {
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
