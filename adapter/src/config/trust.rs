//! Which certificate authorities an outgoing connection trusts, and the HTTP client made with them.

use std::time::Duration;

use reqwest::Certificate;

/// Longest wait for a connection, whatever the answer's own limit.
const CONNECT: Duration = Duration::from_secs(5);

/// Trusted certificate authorities.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those of the system.
    #[default]
    System,
    /// Exactly those of a PEM file.
    Only(Vec<Certificate>),
}

impl Trust {
    /// Reads a PEM bundle.
    ///
    /// # Errors
    /// What is wrong with the file, to follow its name.
    pub fn from_file(path: &str) -> Result<Self, String> {
        let pem = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let certificates =
            Certificate::from_pem_bundle(&pem).map_err(|_| format!("{path} is not a PEM bundle"))?;
        if certificates.is_empty() {
            return Err(format!("{path} holds no certificate"));
        }
        Ok(Self::Only(certificates))
    }

    /// Applies this trust to a client, which also gets what every client here has: no redirects, and no proxy taken
    /// from the environment, so that a token goes where the configuration says and nowhere else.
    pub fn apply(&self, client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let client = client.redirect(reqwest::redirect::Policy::none()).no_proxy().connect_timeout(CONNECT);
        match self {
            Self::System => client,
            Self::Only(certificates) => client.tls_certs_only(certificates.iter().cloned()),
        }
    }
}

/// A client for requests to Plane.
///
/// # Errors
/// The TLS set-up is refused.
pub fn http_client(trust: &Trust, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    trust.apply(reqwest::Client::builder()).timeout(timeout).gzip(true).tcp_nodelay(true).build()
}
