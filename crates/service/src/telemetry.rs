//! Logs: one line an event, to standard error, with a filter that can change while the process runs. The filter is of the
//! log alone: what of requests is recorded in [traces] does not hang on it.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::traces::{self, Export};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    #[default]
    Json,
    /// Coloured text, for people.
    Pretty,
}

/// Why logging could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter does not follow `target=level,…`.
    #[error("the log filter is not of the form target=level,target=level")]
    BadFilter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process logs already.
    #[error("logging is set up already")]
    AlreadySet,
    /// The filter's owner is gone, which only happens while the process ends.
    #[error("logging has ended")]
    Ended,
    /// The way out for traces could not be made.
    #[error(transparent)]
    Traces(#[from] traces::Error),
}

/// Changes what is logged from now on.
#[derive(Clone, Debug)]
pub struct FilterHandle(reload::Handle<EnvFilter, Registry>);

impl FilterHandle {
    /// Replaces the filter, as in `info,hyper=warn`.
    ///
    /// # Errors
    /// [`Error::BadFilter`] leaves the old filter in place.
    pub fn set(&self, filter: &str) -> Result<(), Error> {
        self.0.reload(parse(filter)?).map_err(|_| Error::Ended)
    }
}

/// Starts logging for the whole process, and the export of traces where the settings want one; its owner ends it when
/// nothing is served any more. Not inside a runtime.
///
/// # Errors
/// When the filter is not valid, logging was set up before, or the way out for traces cannot be made.
pub fn init(
    format: LogFormat,
    filter: &str,
    traces: &traces::Settings,
) -> Result<(FilterHandle, Option<Export>), Error> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let export = traces::export(traces)?;
    let lines = match format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr).boxed()
        }
        LogFormat::Pretty => fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    // Parts of a trace are no log lines' context: it stays the request, however deep inside a line is written.
    let parts = FilterFn::new(|metadata| metadata.target() != traces::TARGET);
    let lines = lines.with_filter(parts.with_max_level_hint(LevelFilter::TRACE).and(filter));
    let subscriber = tracing_subscriber::registry().with(lines).with(traces::layer(export.as_ref()));
    subscriber.try_init().map_err(|_| Error::AlreadySet)?;
    Ok((FilterHandle(handle), export))
}

/// Whether `filter` can be used, for checking settings before anything starts.
///
/// # Errors
/// [`Error::BadFilter`].
pub fn check_filter(filter: &str) -> Result<(), Error> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(filter).map_err(|error| Error::BadFilter(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_changes_while_running_and_a_bad_one_changes_nothing() {
        let traces = traces::Settings {
            endpoint: None,
            headers: Vec::new(),
            ca: None,
            service_name: "test".into(),
            sample_ratio: 1.0,
            trust_parent: false,
        };
        let (handle, _) = init(LogFormat::Pretty, "warn", &traces).unwrap();
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        assert_eq!(LevelFilter::current(), LevelFilter::WARN, "what is not wanted is not even made");
        handle.set("debug").unwrap();
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        assert!(matches!(handle.set("service=loud=er"), Err(Error::BadFilter(_))));
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        assert!(matches!(init(LogFormat::Json, "info", &traces), Err(Error::AlreadySet)));
        assert!(check_filter("info,proxy=debug").is_ok() && check_filter("proxy=loud=er").is_err());
    }
}
