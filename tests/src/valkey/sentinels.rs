//! A primary, its replica, and a sentinel that makes the one the other when it is lost.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{Valkey, find_server};
use crate::{
    ports::free_port,
    process::{PATIENCE, Process},
    scratch::Scratch,
    trouble::{Outcome, Trouble},
};

/// The name under which the sentinel knows the primary.
const SERVICE: &str = "main";

/// Two servers and a sentinel, all running.
#[derive(Debug)]
pub struct Sentinels {
    /// The primary at first.
    pub primary: Valkey,
    /// Its replica at first.
    pub replica: Valkey,
    port: u16,
    sentinel: Process,
    _folder: Scratch,
}

impl Sentinels {
    /// Starts them, the replica in step and known to the sentinel.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start() -> Outcome<Self> {
        let primary = Valkey::start_with(&["--repl-diskless-sync-delay", "0"]).await?;
        let of = primary.port().to_string();
        let replica = Valkey::start_with(&["--replicaof", "127.0.0.1", &of]).await?;
        // A sentinel asks for replicas only now and then, so this one must be there before it is.
        until("the replica is connected", || Ok(replica.info("master_link_status")? == "up")).await?;
        let (port, folder) = (free_port()?, Scratch::new("sentinel")?);
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", folder.path().display()),
            format!("sentinel monitor {SERVICE} 127.0.0.1 {of} 1"),
            format!("sentinel down-after-milliseconds {SERVICE} 500"),
            format!("sentinel failover-timeout {SERVICE} 5000"),
        ];
        let file = folder.write("sentinel.conf", lines.join("\n"))?.display().to_string();
        let arguments = [file.as_str(), "--sentinel"];
        let mut sentinel =
            Process::start("sentinel", find_server()?.as_os_str(), arguments, &BTreeMap::new())?;
        let known = async |log: &crate::process::Log| log.text().contains("+slave").then_some(());
        sentinel.wait_for("aware of the replica", known).await?;
        Ok(Self { primary, replica, port, sentinel, _folder: folder })
    }

    /// The URL for `valkey.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("valkey-sentinel://127.0.0.1:{}?sentinelServiceName={SERVICE}", self.port)
    }

    /// Stops the sentinel itself from answering, or lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, frozen: bool) -> Outcome {
        self.sentinel.signal(if frozen { "STOP" } else { "CONT" })
    }

    /// Waits until the replica has all that the primary has.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn in_step(&self) -> Outcome {
        until("the replica is in step", || {
            Ok(self.primary.info("master_repl_offset")? == self.replica.info("slave_repl_offset")?)
        })
        .await
    }
}

async fn until(what: &str, holds: impl Fn() -> Outcome<bool>) -> Outcome {
    let started = Instant::now();
    while !holds().unwrap_or(false) {
        if started.elapsed() > PATIENCE {
            return Err(Trouble::new(format!("{what}: not within {} s", PATIENCE.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
