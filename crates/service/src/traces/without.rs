//! What stands for the exporter in a program built without the feature `otlp`: nothing is recorded.

use tracing::Span;
use tracing_subscriber::layer::Identity;

use super::{Settings, TraceContext};

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[error("built without the feature otlp: nothing can be exported")]
pub struct Error;

/// The way of the recorded spans out of the process; never there.
#[derive(Debug)]
pub enum Export {}

impl Export {
    /// Sends what is still here.
    pub fn finish(self) {
        match self {}
    }
}

/// # Errors
/// When one is wanted, which the settings refuse before.
pub(crate) fn export(settings: &Settings) -> Result<Option<Export>, Error> {
    if settings.endpoint.is_some() { Err(Error) } else { Ok(None) }
}

/// No layer at all: one that says nothing of levels would have every line of every library made before it is dropped.
pub(crate) const fn layer(_: Option<&Export>) -> Option<Identity> {
    None
}

pub(super) fn start(_: &Span, _: Option<&TraceContext>) -> Option<TraceContext> {
    None
}

pub(super) fn started(_: &Span) -> Option<TraceContext> {
    None
}

pub(super) fn name(_: &Span, _: String) {}

pub(super) fn link(_: &Span, _: &TraceContext) {}
