//! Restarting the parts of a chain as an operator does: SIGTERM, wait until it has ended, start the next one, wait until that
//! one is ready.

use super::Chain;
use crate::{
    adapter::Adapter,
    process::Process,
    proxy::Proxy,
    settings::Settings,
    trouble::{Outcome, Trouble},
};

impl Chain {
    /// Restarts a proxy.
    ///
    /// # Errors
    /// When there is none of that number, it ends in failure, or the next one does not come up.
    pub async fn restart_proxy(&mut self, number: usize) -> Outcome {
        self.restart_proxy_with(number, |_| ()).await
    }

    /// Restarts a proxy with other settings.
    ///
    /// # Errors
    /// As [`Chain::restart_proxy`].
    pub async fn restart_proxy_with(&mut self, number: usize, change: impl FnOnce(&mut Settings)) -> Outcome {
        let proxy = self.proxies.get_mut(number).ok_or_else(|| Trouble::new("no such proxy"))?;
        stop(proxy.program.process()).await?;
        let mut settings = proxy.settings.clone();
        change(&mut settings);
        *proxy = Proxy::start(settings, &self.environment).await?;
        Ok(())
    }

    /// Restarts an adapter.
    ///
    /// # Errors
    /// When there is none of that number, it ends in failure, or the next one does not come up.
    pub async fn restart_adapter(&mut self, number: usize) -> Outcome {
        let adapter = self.adapters.get_mut(number).ok_or_else(|| Trouble::new("no such adapter"))?;
        stop(adapter.program.process()).await?;
        *adapter = Adapter::start(&adapter.settings).await?;
        Ok(())
    }
}

async fn stop(process: &mut Process) -> Outcome {
    let status = process.stop().await?;
    if status.success() { Ok(()) } else { Err(process.trouble(&format!("ended with {status}"))) }
}
