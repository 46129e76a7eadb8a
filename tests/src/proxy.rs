//! `mcp-edge-proxy` as a running program.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    certificate::CertificateFiles,
    program::{Kind, Program},
    settings::Settings,
    trouble::{Outcome, Trouble},
};

/// What the proxy has to be told about the world it runs in.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The origin clients use.
    pub public_url: String,
    /// The certificate it shows.
    pub certificate: CertificateFiles,
    /// The user pool's issuer.
    pub issuer: String,
    /// The app client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<String>,
    /// The vault's keys, as in a keys file.
    pub vault_keys: String,
    /// Valkey's URL; none: sessions are kept in memory.
    pub valkey_url: Option<String>,
}

impl Surroundings {
    /// The configuration file, without routes, for a proxy listening on `port`.
    #[must_use]
    pub fn settings(&self, port: u16) -> Settings {
        let mut settings = Settings::default();
        settings.set("server.public_url", self.public_url.as_str());
        settings.set("server.listen", format!("127.0.0.1:{port}"));
        settings.set("server.admin_listen", "127.0.0.1:0");
        settings.set("server.threads", 2);
        settings.set("server.drain_seconds", 10);
        settings.set("tls.cert_file", self.certificate.cert_file.display().to_string());
        settings.set("tls.key_file", self.certificate.key_file.display().to_string());
        settings.set("cognito.issuer", self.issuer.as_str());
        settings.set("cognito.client_id", self.client_id.as_str());
        settings.set("log.format", "json");
        settings.set("log.filter", "info");
        settings
    }

    /// The environment: the secrets, which do not stand in the file.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let secrets = [
            ("PROXY_VAULT__KEYS", Some(&self.vault_keys)),
            ("PROXY_COGNITO__CLIENT_SECRET", self.client_secret.as_ref()),
            ("PROXY_VALKEY__URL", self.valkey_url.as_ref()),
        ];
        let given = secrets.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
        given.collect()
    }
}

/// A line for the keys file with a fresh key.
///
/// # Errors
/// When the system has no random numbers.
pub fn fresh_key(id: &str) -> Outcome<String> {
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| Trouble::new("no random numbers"))?;
    Ok(format!("{id}:{}", STANDARD.encode(key)))
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    /// The program.
    pub program: Program,
    /// Where it really listens: `https://127.0.0.1:PORT`.
    pub origin: String,
    /// Its configuration file as started.
    pub settings: Settings,
}

impl Proxy {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up; the sentence carries its log.
    pub async fn start(settings: Settings, environment: &BTreeMap<String, String>) -> Outcome<Self> {
        let program = Program::start(Kind::Proxy, &settings, environment).await?;
        let origin = format!("https://{}", program.public());
        Ok(Self { program, origin, settings })
    }
}
