//! A real OpenTelemetry Collector (`tests/tools/install-collector.sh`): takes spans by OTLP over HTTP and writes them down.

use std::{collections::BTreeMap, ffi::OsString};

use crate::{
    ports::free_port,
    process::{Log, Process, tool},
    scratch::Scratch,
    trouble::{Outcome, While},
};

/// A running collector. Dropping it kills it.
#[derive(Debug)]
pub struct Collector {
    process: Process,
    endpoint: String,
    _scratch: Scratch,
}

/// A span as the collector got it.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// What the program calls itself (`service.name`).
    pub service: String,
    /// The trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The span that caused it; empty for the first one of a trace.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// `Server`, `Client` or `Internal`.
    pub kind: String,
    /// `Unset` or `Error`.
    pub status: String,
    /// What it says, as text.
    pub attributes: BTreeMap<String, String>,
    /// The other traces it has to do with.
    pub links: Vec<String>,
}

impl Collector {
    /// Starts one on a free port and waits until it takes spans.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Outcome<Self> {
        let endpoint = format!("127.0.0.1:{}", free_port()?);
        let scratch = Scratch::new("collector")?;
        let config = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"{endpoint}\"}}}}}}}}\n\
             exporters: {{debug: {{verbosity: detailed, use_internal_logger: false}}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
             pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}\n"
        );
        let config = scratch.write("collector.yaml", config)?;
        let program = tool("otelcol", "OTELCOL")?;
        let arguments = [OsString::from("--config"), config.into()];
        let mut process = Process::start("otelcol", program.as_os_str(), arguments, &BTreeMap::new())?;
        let ready = async |log: &Log| log.text().contains("Everything is ready").then_some(());
        process.wait_for("ready", ready).await?;
        Ok(Self { process, endpoint: format!("http://{endpoint}"), _scratch: scratch })
    }

    /// Where it takes spans.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Every span so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        read(&self.process.log().lines())
    }

    /// Everything it wrote down so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.process.log().text()
    }

    /// Waits until `found` is happy with the spans.
    ///
    /// # Errors
    /// When it never is; the sentence carries what came.
    pub async fn wait_for<T>(&mut self, what: &str, found: impl Fn(&[Span]) -> Option<T>) -> Outcome<T> {
        self.process.wait_for(what, async |log| found(&read(&log.lines()))).await
    }

    /// Stops it, as if it had crashed.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> Outcome {
        self.process.stop().await.while_doing("stop the collector").map(drop)
    }
}

/// Reads the debug exporter's text.
fn read(lines: &[String]) -> Vec<Span> {
    let (mut spans, mut service, mut section) = (Vec::<Span>::new(), String::new(), "");
    for line in lines {
        let line = line.trim();
        let field = |name: &str| line.strip_prefix(name)?.trim_start().strip_prefix(": ").map(str::trim);
        match line {
            "Resource attributes:" => section = "resource",
            "Attributes:" => section = "attributes",
            "Links:" => section = "links",
            _ if line.starts_with("Span #") => {
                section = "span";
                spans.push(Span { service: service.clone(), ..Span::default() });
            }
            _ => {}
        }
        let entry = line.strip_prefix("-> ").and_then(|entry| entry.split_once(": "));
        let (Some(span), true) = (spans.last_mut(), section != "resource") else {
            if let Some(("service.name", value)) = entry {
                service = bare(value);
            }
            continue;
        };
        match (section, entry) {
            ("attributes", Some((name, value))) => {
                span.attributes.insert(name.to_owned(), bare(value));
            }
            ("links", Some(("Trace ID", trace))) => span.links.push(trace.to_owned()),
            ("span", None) => {
                let fields = [
                    ("Trace ID", &mut span.trace),
                    ("Parent ID", &mut span.parent),
                    ("ID", &mut span.id),
                    ("Name", &mut span.name),
                    ("Kind", &mut span.kind),
                    ("Status code", &mut span.status),
                ];
                for (name, place) in fields {
                    if let Some(value) = field(name) {
                        value.clone_into(place);
                    }
                }
            }
            _ => {}
        }
    }
    spans
}

/// `value` of `Str(value)`.
fn bare(value: &str) -> String {
    let inside = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(value).to_owned()
}
