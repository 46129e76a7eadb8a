//! An independent OpenID provider (oidc-provider under Node) dressed as a Cognito user pool: `tests/e2e/provider.mjs`.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    process::{Process, tool},
    trouble::{Outcome, Trouble, While},
};

/// A running provider with the users `alice` and `bob`. Dropping it stops it.
#[derive(Debug)]
pub struct OpenIdProvider {
    /// The program.
    pub process: Process,
    /// Its addresses and its app client.
    pub pool: Pool,
    http: reqwest::Client,
}

/// Where it is and who may ask it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// The issuer, as in `iss`.
    pub issuer: String,
    /// The OAuth domain.
    pub domain: String,
    /// The app client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

impl OpenIdProvider {
    /// Every user's password.
    pub const PASSWORD: &'static str = "Correct-Horse-1";

    /// Starts it with callback URLs and, where they differ from the defaults in `provider.mjs`, other `options`.
    ///
    /// # Errors
    /// When Node or the provider is not installed, or it does not come up.
    pub async fn start(redirect_uris: &[String], mut options: Value) -> Outcome<Self> {
        if !options.is_object() {
            options = json!({});
        }
        if let Some(options) = options.as_object_mut() {
            options.insert("redirectUris".to_owned(), redirect_uris.into());
        }
        let node = tool("node22", "NODE22")?;
        let script = tool("../provider/provider.mjs", "OPENID_PROVIDER")?;
        let arguments = [OsString::from(Path::new(&script)), OsString::from(options.to_string())];
        let mut process = Process::start("openid-provider", node.as_os_str(), arguments, &BTreeMap::new())?;
        let pool = process
            .wait_for("ready", async |log| {
                log.lines().iter().find_map(|line| serde_json::from_str::<Pool>(line).ok())
            })
            .await?;
        let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
        Ok(Self { process, pool, http })
    }

    /// Changes options while it runs, such as `{"rotation": false}` or `{"accessTtl": 5}`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn set(&self, options: &Value) -> Outcome {
        let sent = self.http.post(self.control()?).body(options.to_string()).send().await;
        sent.and_then(reqwest::Response::error_for_status).while_doing("change the provider's options")?;
        Ok(())
    }

    /// How many requests with this grant (`refresh_token`, `authorization_code`) its token endpoint has seen.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn grants(&self, grant: &str) -> Outcome<usize> {
        let answer = self.http.get(self.control()?).send().await.while_doing("ask the provider")?;
        let seen: Value = answer.json().await.while_doing("read the provider's answer")?;
        let requests = seen.get("requests").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(requests
            .iter()
            .filter(|request| request.get("grant").and_then(Value::as_str) == Some(grant))
            .count())
    }

    fn control(&self) -> Outcome<String> {
        let (origin, _) =
            self.pool.issuer.rsplit_once('/').ok_or_else(|| Trouble::new("an issuer without path"))?;
        Ok(format!("{origin}/control"))
    }
}
