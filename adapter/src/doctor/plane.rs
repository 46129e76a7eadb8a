//! Plane without a credential: whether the reverse proxy before it asks for one, whether its REST API is there, and which
//! version it is.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use service::SystemClock;
use service::probe::{Answer, Finding, NoAnswer, Trial, causes, get, printable};
use url::Url;

use crate::config::{self, Config, http_client};

/// Longest wait for an answer.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// Plane's own words to somebody without a credential, on both of its APIs.
pub(super) const NOT_SIGNED_IN: &str = "Authentication credentials were not provided.";
/// Of the web application's API, and of the public one.
pub(super) const ME: &str = "/api/users/me/";
pub(super) const V1_ME: &str = "/api/v1/users/me/";

const UNREACHABLE: &str =
    "Check the address, DNS, network policies, and plane.ca_file for a private authority.";

/// Three looks at Plane.
pub(super) async fn probe(config: &Config) -> Vec<Finding> {
    let settings = &config.plane;
    let http = match http_client(&settings.trust, LIMIT) {
        Ok(http) => http,
        Err(error) => {
            let trial = Trial::new("plane-front", "set up a client for Plane");
            return vec![trial.fail(causes(&error), "Check plane.ca_file.")];
        }
    };
    let (front, api, version) =
        tokio::join!(front(&http, settings), api(&http, settings), version(&http, settings));
    vec![front, api, version]
}

/// The public address, where ID tokens go: a request without one must not get through.
async fn front(http: &Client, settings: &config::Plane) -> Finding {
    let url = join(&settings.base_url, ME);
    let trial = Trial::new("plane-front", format!("read {url} without a token"));
    let answer = match get(http, url, &SystemClock).await {
        Ok(answer) => answer,
        Err(NoAnswer { said, .. }) => return trial.fail(said, format!("plane.base_url: {UNREACHABLE}")),
    };
    match answer.status {
        401 | 403 if said(&answer).as_deref() == Some(NOT_SIGNED_IN) => trial.warn(
            "Plane itself refuses it: nothing before it asks for a token, so that a signed-in user's ID token means nothing there",
            "plane.base_url must lead through the reverse proxy that turns the ID token into the user (docs/traefik.md). Where only API keys are used, this is as it should be.",
        ),
        401 | 403 | 300..=399 => trial.ok("the reverse proxy before Plane asks who it is"),
        200..=299 => trial.fail(
            "somebody is signed in there without a token",
            "Whatever stands at plane.base_url lets everybody in as one user: fix it before anybody uses it.",
        ),
        status => trial.fail(
            format!("it answers with status {status}"),
            "plane.base_url must be the address of Plane's web application, without a path; 502 to 504 mean that Plane is down behind it.",
        ),
    }
}

/// The REST API, where API keys go.
async fn api(http: &Client, settings: &config::Plane) -> Finding {
    let Some(api_url) = &settings.api_url else {
        let trial = Trial::new("plane-api", "looked for plane.api_url");
        return if settings.keys.mint {
            trial.warn(
                "there is none: API keys go through plane.base_url, and no key can be made for signed-in users",
                "Set plane.api_url to Plane itself, past the reverse proxy, if Plane's /api/v1 takes only API keys: tools answer credential.unsupported otherwise.",
            )
        } else {
            trial.ok("there is none, and no keys are to be made: API keys go through plane.base_url")
        };
    };
    let url = join(api_url, V1_ME);
    let trial = Trial::new("plane-api", format!("read {url} without a key"));
    match get(http, url, &SystemClock).await {
        Err(NoAnswer { said, .. }) => trial.fail(said, format!("plane.api_url: {UNREACHABLE}")),
        Ok(answer) if said(&answer).as_deref() == Some(NOT_SIGNED_IN) => {
            trial.ok("Plane's REST API is there, and asks for a key")
        }
        Ok(answer) => trial.fail(
            format!("what answers (status {}) is not Plane's REST API", answer.status),
            "plane.api_url must be Plane itself, past any reverse proxy that asks for a token.",
        ),
    }
}

/// What Plane says of itself to everybody.
async fn version(http: &Client, settings: &config::Plane) -> Finding {
    let base = settings.api_url.as_ref().unwrap_or(&settings.base_url);
    let url = join(base, "/api/instances/");
    let trial = Trial::new("plane-version", format!("read {url}"));
    let instance = match get(http, url, &SystemClock).await {
        Err(_) => return trial.skip("Plane does not answer"),
        Ok(answer) => answer.json().ok().and_then(|json| json.get("instance").cloned()),
    };
    let Some(instance) = instance else {
        return trial.skip("Plane's own answer does not come through; with plane.api_url it would");
    };
    let text = |name: &str| instance.get(name).and_then(Value::as_str).map(printable).unwrap_or_default();
    let name = format!("Plane {} ({})", text("current_version"), text("edition"));
    if instance.get("is_setup_done").and_then(Value::as_bool) == Some(false) {
        return trial.fail(
            format!("{name}, which has not been set up"),
            "Finish Plane's own set-up (its /god-mode pages): nobody can sign in before.",
        );
    }
    trial.ok(format!("{name}; the tools are tested against 1.3.1"))
}

/// Plane's own words in an answer.
pub(super) fn said(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    let text = body.get("detail").or_else(|| body.get("error"))?.as_str()?;
    Some(printable(text))
}

pub(super) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
