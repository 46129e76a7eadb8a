//! The public URL, as a client comes to it: through whatever stands in front of us.

use std::{path::Path, time::Duration};

use reqwest::Client;
use serde_json::Value;
use service::Clock;
use url::Url;

use super::certificate::{Life, life};
use crate::config::{Config, RouteKind};
use service::probe::{self, Answer, Finding, NoAnswer, Trial, printable};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// RFC 8414 section 3.
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// RFC 9728 section 3.1; the path of the resource follows.
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// What a client reads first: that we are there, who we are, and what each route is.
pub(super) async fn probe(
    config: &Config,
    ca_file: Option<&Path>,
    bad_certificate: bool,
    clock: &dyn Clock,
) -> Finding {
    let origin = &config.server.public_url;
    let trial = Trial::new("public-url", format!("read /healthz and the well-known documents at {origin}"));
    let http = match probe::client(Client::builder(), ca_file, LIMIT) {
        Ok(http) => http,
        Err(said) => return trial.fail(said, "Check --ca-file."),
    };
    let health = match get(&http, origin, "/healthz", clock).await {
        Ok(answer) => answer,
        Err(NoAnswer { by_certificate: true, .. }) if bad_certificate => {
            return trial.skip("cannot be told before the certificate is good, see certificate");
        }
        Err(NoAnswer { said, by_certificate: true }) => {
            let advice = "Clients would refuse it too, unless it is of a private authority that they know: name that by --ca-file.";
            return trial.fail(said, advice);
        }
        Err(NoAnswer { said, .. }) => {
            let advice = "Check that the proxy runs, DNS, and what stands in front. From inside a cluster the public name may not be reachable: then run this where clients are.";
            return trial.fail(said, advice);
        }
    };
    let mut faults = Vec::new();
    if health.status != 200 {
        faults.push(format!("/healthz is answered with status {}", health.status));
    }
    for (path, member, expected) in documents(config) {
        faults.extend(fault(&http, origin, (&path, member, &expected), clock).await);
    }
    if !faults.is_empty() {
        let advice = "All paths of this host must reach the proxy unchanged, /.well-known/ too: look at the routers of Traefik or what else stands in front, at its middlewares, and whether two programs answer for this host.";
        return trial.fail(faults.join("; "), advice);
    }
    let renew = "Renew the certificate that is shown there.";
    match health.certificate.map(|shown| life(&shown, clock)) {
        Some(Life::Soon { days }) => {
            trial.warn(format!("all are ours, but the certificate shown ends in {days} days"), renew)
        }
        Some(Life::Good { days }) => {
            trial.ok(format!("all are ours, and the certificate shown ends in {days} days"))
        }
        Some(Life::Over { .. } | Life::NotYet | Life::Malformed) => {
            trial.warn("the certificate shown is not good now", renew)
        }
        None => trial.ok("all are ours"),
    }
}

/// The documents that clients look for: where, and which member must say what.
fn documents(config: &Config) -> Vec<(String, &'static str, String)> {
    let mut all = vec![(SERVER_METADATA.to_owned(), "issuer", config.server.public_url.clone())];
    // Tokens of ours are not for routes that take API keys.
    for route in config.routes.iter().filter(|route| route.kind != RouteKind::ApiKey) {
        let path = format!("{RESOURCE_METADATA}{}", route.path.trim_end_matches('/'));
        all.push((path, "resource", route.resource.as_str().to_owned()));
    }
    all
}

/// What is wrong with one document.
async fn fault(
    http: &Client,
    origin: &str,
    (path, member, expected): (&str, &str, &str),
    clock: &dyn Clock,
) -> Option<String> {
    let document = match get(http, origin, path, clock).await {
        Ok(answer) => answer.json(),
        Err(NoAnswer { said, .. }) => Err(said),
    };
    match document {
        Err(said) => Some(format!("{path}: {said}")),
        Ok(document) => {
            let said = document.get(member).and_then(Value::as_str).unwrap_or("nothing");
            (said != expected).then(|| format!("{path}: {member} is {}, not {expected}", printable(said)))
        }
    }
}

async fn get(http: &Client, origin: &str, path: &str, clock: &dyn Clock) -> Result<Answer, NoAnswer> {
    let url = Url::parse(&format!("{origin}{path}"));
    let url = url.map_err(|error| NoAnswer { said: error.to_string(), by_certificate: false })?;
    probe::get(http, url, clock).await
}
