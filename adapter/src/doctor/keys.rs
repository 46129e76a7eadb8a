//! Cognito's signing keys, issuer by issuer, and its clock.

use std::sync::Arc;

use cognito::{HttpKeys, KeyPolicy, KeySet, KeySource};
use service::Clock;
use service::probe::{Finding, Trial, causes, clock_finding, get};

use crate::config::{Cognito, Config};

const ADVICE: &str = "No ID token of this issuer can be checked without them. Check [cognito] (issuer, or region and user_pool_id; jwks_uri; ca_file), and the rules for outgoing connections.";

/// The keys of each issuer, and the time.
pub(super) async fn probe(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let settings = &config.cognito;
    let mut findings = Vec::new();
    for source in &settings.sources {
        findings.push(keys(settings, source, clock).await);
    }
    findings.push(time(settings, clock).await);
    findings
}

async fn keys(settings: &Cognito, source: &KeySource, clock: &Arc<dyn Clock>) -> Finding {
    let trial = Trial::new("jwks", format!("read {}", source.jwks_uri));
    let fetch = match HttpKeys::with(settings.trust.apply(reqwest::Client::builder())) {
        Ok(fetch) => fetch,
        Err(error) => return trial.fail(causes(&error), "Check cognito.ca_file."),
    };
    // As the adapter reads them, but for this issuer alone.
    let keys = KeySet::new(vec![source.clone()], Arc::new(fetch), Arc::clone(clock), KeyPolicy::default());
    match keys.warm().await {
        Ok(()) => trial.ok("there are RS256 keys to check ID tokens with"),
        Err(error) => trial.fail(causes(&error), ADVICE),
    }
}

async fn time(settings: &Cognito, clock: &Arc<dyn Clock>) -> Finding {
    let trial = Trial::new("clock", "compared the time in Cognito's answers with ours");
    let client = settings.trust.apply(reqwest::Client::builder()).timeout(super::plane::LIMIT).build();
    let (Ok(http), Some(source)) = (client, settings.sources.first()) else {
        return trial.skip("cannot be told, see jwks");
    };
    let ahead =
        get(&http, source.jwks_uri.clone(), clock.as_ref()).await.ok().and_then(|answer| answer.ahead);
    clock_finding(trial, ahead, settings.leeway, "cognito.clock_leeway_seconds")
}
