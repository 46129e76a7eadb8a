//! `[traces]` as it is written.

use serde::{Deserialize, Serialize};
use service::Secret;
use service::secret::redacted;
use service::traces::Written;

/// `[traces]`: what of requests is recorded, and where it goes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Traces {
    /// The OpenTelemetry collector that gets the spans, OTLP over HTTP: `http://collector:4318`. Empty: nothing is exported. Needs a
    /// program built with the cargo feature `otlp`.
    pub endpoint: String,
    /// Headers for it, `name=value,name=value`, such as an API key. Better as a file.
    #[serde(serialize_with = "redacted")]
    pub headers: Option<Secret>,
    /// File with the headers.
    pub headers_file: String,
    /// PEM bundle that an https collector is checked against; empty: the system's.
    pub ca_file: String,
    /// What this program is called in traces.
    pub service_name: String,
    /// How many requests are recorded, 0 to 1. Of those that come with a trace, all that the caller records (see below).
    pub sample_ratio: f64,
    /// Whoever calls decides what is recorded of the traces they begin: right behind the edge, which limits it. Set it to
    /// false where clients' `traceparent` gets here as they write it, as behind Traefik's ForwardAuth.
    pub trust_parent: bool,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            headers: None,
            headers_file: String::new(),
            ca_file: String::new(),
            service_name: "plane-mcp-adapter".into(),
            sample_ratio: 0.1,
            trust_parent: true,
        }
    }
}

impl Traces {
    pub(in crate::config) fn written(&self) -> Written<'_> {
        Written {
            endpoint: &self.endpoint,
            headers: self.headers.as_ref(),
            headers_file: &self.headers_file,
            ca_file: &self.ca_file,
            service_name: &self.service_name,
            sample_ratio: self.sample_ratio,
            trust_parent: self.trust_parent,
        }
    }
}
