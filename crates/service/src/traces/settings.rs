//! `[traces]`: from what is written to what is meant.

use std::fs;

use crate::Secret;
use crate::config::Problems;

/// Where the spans go below an OTLP endpoint.
const PATH: &str = "/v1/traces";

/// `[traces]` as a program's own raw configuration has it.
#[derive(Debug)]
pub struct Written<'a> {
    /// The collector; empty: nothing is exported.
    pub endpoint: &'a str,
    /// `name=value,name=value`, as `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Option<&'a Secret>,
    /// A file with the same.
    pub headers_file: &'a str,
    /// PEM bundle that the collector is checked against; empty: the system's.
    pub ca_file: &'a str,
    /// What the program is called in traces.
    pub service_name: &'a str,
    /// How many of all requests are recorded.
    pub sample_ratio: f64,
    /// Whether the caller decides for those that came with a trace.
    pub trust_parent: bool,
}

/// What of requests is recorded, and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The full URL spans are sent to; none: they are not.
    pub endpoint: Option<String>,
    /// Headers of what is sent there.
    pub headers: Vec<(String, Secret)>,
    /// The collector's certificate authorities, PEM; none: the system's.
    pub ca: Option<Vec<u8>>,
    /// What the program is called.
    pub service_name: String,
    /// How many of all requests are recorded: 0 to 1.
    pub sample_ratio: f64,
    /// Whether the caller decides for those that came with a trace.
    pub trust_parent: bool,
}

impl Written<'_> {
    /// Checks everything; what is wrong goes to `problems`, and what comes back is then of no use.
    #[must_use]
    pub fn resolve(&self, problems: &mut Problems) -> Settings {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.push("traces.sample_ratio", "must be between 0 and 1");
        }
        if self.service_name.is_empty() {
            problems.push("traces.service_name", "must not be empty");
        }
        let endpoint = (!self.endpoint.is_empty()).then(|| full(self.endpoint));
        if endpoint.is_some() && !cfg!(feature = "otlp") {
            let message = "is set, and this program was built without traces: take a build with the cargo feature otlp \
                           (cargo build --features otlp), or remove it (also OTEL_EXPORTER_OTLP_ENDPOINT)";
            problems.push("traces.endpoint", message);
        } else if endpoint.as_deref().is_some_and(|endpoint| !is_web_address(endpoint)) {
            problems.push("traces.endpoint", "must be an http or https URL, such as http://collector:4318");
        }
        let headers = self.written_headers(problems).map_or_else(Vec::new, |text| {
            pairs(&text).unwrap_or_else(|| {
                problems.push("traces.headers", "must be name=value, with commas between");
                Vec::new()
            })
        });
        let ca = (!self.ca_file.is_empty()).then(|| {
            fs::read(self.ca_file).unwrap_or_else(|error| {
                problems.push("traces.ca_file", format!("cannot read {}: {error}", self.ca_file));
                Vec::new()
            })
        });
        Settings {
            endpoint,
            headers,
            ca,
            service_name: self.service_name.to_owned(),
            sample_ratio: self.sample_ratio,
            trust_parent: self.trust_parent,
        }
    }

    fn written_headers(&self, problems: &mut Problems) -> Option<Secret> {
        let written = self.headers.filter(|headers| !headers.expose().is_empty());
        if self.headers_file.is_empty() {
            return written.cloned();
        }
        if written.is_some() {
            problems.push("traces.headers", "is set, and so is traces.headers_file: choose one");
        }
        match fs::read_to_string(self.headers_file) {
            Ok(text) => Some(Secret::new(text.trim())),
            Err(error) => {
                let message = format!("cannot read {}: {error}", self.headers_file);
                problems.push("traces.headers_file", message);
                None
            }
        }
    }
}

/// `/v1/traces` is added unless it is there: both ways to write an endpoint that OpenTelemetry has come out right.
fn full(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") }
}

fn is_web_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.query().is_none()
}

fn pairs(text: &Secret) -> Option<Vec<(String, Secret)>> {
    let pairs = text.expose().split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let name = http::HeaderName::try_from(name).ok()?;
            http::HeaderValue::try_from(value).ok()?;
            Some((name.as_str().to_owned(), Secret::new(value)))
        })
        .collect()
}
