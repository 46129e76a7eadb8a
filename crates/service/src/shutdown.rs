//! One signal to stop, seen by every part of the process.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The wish that the process stops. Clones share it; once triggered it stays triggered.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    asked: CancellationToken,
    /// Asked again: nothing is put off any more.
    urged: CancellationToken,
}

impl Shutdown {
    /// One that stops only by [`trigger`](Self::trigger).
    pub fn manual() -> Self {
        Self::default()
    }

    /// One that the first SIGTERM or SIGINT triggers. A second one ends what [`delayed`](Self::delayed) waits for; the drain is
    /// bounded anyway.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let triggered = shutdown.clone();
        tokio::spawn(async move {
            for token in [triggered.asked, triggered.urged] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "stopping");
                token.cancel();
            }
        });
        Ok(shutdown)
    }

    /// Asks to stop.
    pub fn trigger(&self) {
        self.asked.cancel();
    }

    /// Whether the stop was asked for.
    pub fn is_triggered(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Resolves once the stop was asked for.
    pub async fn wait(&self) {
        self.asked.cancelled().await;
    }

    /// One that triggers `delay` after this one: until then all is served, while whoever spreads requests over several
    /// processes can see that this one is about to stop, and forget it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn delayed(&self, delay: Duration) -> Self {
        if delay.is_zero() {
            return self.clone();
        }
        let (first, later) = (self.clone(), Self::default());
        let triggered = later.clone();
        tokio::spawn(async move {
            first.wait().await;
            tracing::info!(seconds = delay.as_secs(), "still serving, but no longer ready");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = first.urged.cancelled() => {}
            }
            triggered.trigger();
        });
        later
    }

    /// One that this one triggers, but which does not trigger this one.
    pub fn child(&self) -> Self {
        Self { asked: self.asked.child_token(), urged: self.urged.clone() }
    }

    /// Triggers when the returned guard is dropped.
    pub(crate) fn on_drop(self) -> DropGuard {
        self.asked.drop_guard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn trigger_reaches_clones_and_children_but_not_the_parent() {
        let (first, second) = (Shutdown::manual(), Shutdown::manual());
        let (clone, child) = (first.clone(), first.child());
        second.child().trigger();
        first.trigger();
        clone.wait().await;
        child.wait().await;
        assert!(first.is_triggered() && !second.is_triggered());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_one_follows_when_its_time_has_passed_and_does_not_trigger_the_first() {
        let first = Shutdown::manual();
        let (second, apart) = (first.delayed(Duration::from_secs(3)), first.delayed(Duration::from_secs(1)));
        apart.trigger();
        assert!(!first.is_triggered());
        let began = tokio::time::Instant::now();
        first.trigger();
        assert!(!second.is_triggered());
        second.wait().await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_twice_is_not_made_to_wait() {
        let first = Shutdown::manual();
        let second = first.delayed(Duration::from_secs(600));
        let began = tokio::time::Instant::now();
        first.trigger();
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.urged.cancel();
        second.wait().await;
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
