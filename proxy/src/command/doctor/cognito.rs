//! Cognito: its documents, its OAuth domain, whether it knows us, and its clock.

use std::sync::Arc;

use reqwest::Client;
use serde_json::Value;
use service::{Clock, Secret};
use url::Url;

use crate::{
    config::{self, Config},
    edge,
    provider::{IdentityProvider, ProviderError, SignIn},
};
use service::probe::{self, Answer, Finding, NoAnswer, Trial, causes, clock_finding, printable};

/// Where the fault is when nothing answers.
const UNREACHABLE: &str = "Check the name, DNS, the rules for outgoing connections, and cognito.ca_file or HTTPS_PROXY where one is needed.";
/// The S256 challenge of RFC 7636 appendix B. Its code never comes, so nobody can use that it is known.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One look at Cognito.
struct Look<'a> {
    config: &'a Config,
    settings: &'a config::Cognito,
    clock: &'a Arc<dyn Clock>,
    http: Client,
    /// How many seconds Cognito's clock is ahead of ours, by the answer that says the least.
    ahead: Option<i64>,
}

/// Everything about Cognito.
pub(super) async fn probe(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let settings = &config.cognito;
    let client = edge::http_client(settings).map_err(|error| causes(&error));
    let http = match client.and_then(|builder| probe::client(builder, None, settings.timeout)) {
        Ok(http) => http,
        Err(said) => {
            let trial = Trial::new("discovery", "set up a client for Cognito");
            return vec![trial.fail(said, "Check cognito.ca_file.")];
        }
    };
    let mut look = Look { config, settings, clock, http, ahead: None };
    let (discovery, authorization) = look.discovery().await;
    let jwks = look.jwks(discovery.is_failure()).await;
    let mut findings = vec![discovery, jwks];
    let domain = Trial::new("oauth-domain", "connected to the host of the authorization endpoint");
    let client = Trial::new("app-client", "asked to sign somebody in, as the proxy does");
    let secret = Trial::new("client-secret", "redeemed a code that does not exist");
    match authorization {
        None => {
            let trials = [domain, client, secret];
            findings.extend(trials.map(|trial| trial.skip("no endpoints are known, see discovery")));
        }
        Some(endpoint) => {
            let domain = look.domain(domain, &endpoint).await;
            let (client, secret) = if domain.is_failure() {
                let unreachable = "cannot be told before the OAuth domain answers";
                (client.skip(unreachable), secret.skip(unreachable))
            } else {
                look.registration(client, secret).await
            };
            findings.extend([domain, client, secret]);
        }
    }
    findings.push(look.time());
    findings
}

impl Look<'_> {
    async fn get(&mut self, url: Url) -> Result<Answer, NoAnswer> {
        let answer = probe::get(&self.http, url, self.clock.as_ref()).await?;
        if let Some(ahead) = answer.ahead
            && self.ahead.is_none_or(|known| ahead.abs() < known.abs())
        {
            self.ahead = Some(ahead);
        }
        Ok(answer)
    }

    /// The discovery document; with it the authorization endpoint, when the proxy would take the document.
    async fn discovery(&mut self) -> (Finding, Option<Url>) {
        let issuer = self.settings.issuers.first();
        let Some((issuer, Ok(url))) =
            issuer.map(|issuer| (issuer.as_str(), issuer.document(".well-known/openid-configuration")))
        else {
            return (
                Trial::new("discovery", "made its URL").fail("there is none", "Check cognito.issuer."),
                None,
            );
        };
        let trial = Trial::new("discovery", format!("read {url}"));
        let document = match self.get(url).await {
            Err(NoAnswer { said, .. }) => return (trial.fail(said, UNREACHABLE), None),
            Ok(answer) => match answer.json() {
                Err(said) => {
                    let advice = "Check cognito.issuer, or cognito.region and cognito.user_pool_id: 400 and 404 mean that there is no such user pool.";
                    return (trial.fail(said, advice), None);
                }
                Ok(document) => document,
            },
        };
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            let theirs = printable(text("issuer").unwrap_or("nobody"));
            let advice = format!(
                "Set cognito.issuer to exactly what it says, if that is your pool's: \"{theirs}\". Tokens name it, and are refused otherwise."
            );
            return (trial.fail(format!("the document is of another issuer, {theirs}"), advice), None);
        }
        let endpoint = |name: &str| text(name).and_then(|url| Url::parse(url).ok());
        let (Some(authorization), Some(_)) = (endpoint("authorization_endpoint"), endpoint("token_endpoint"))
        else {
            let advice = "Give the user pool a domain (Cognito's own prefix or a custom one): without it nobody can sign in.";
            return (trial.fail("it lacks the authorization or the token endpoint", advice), None);
        };
        let finding = match endpoint("revocation_endpoint") {
            Some(_) => trial.ok("the issuer is the configured one, and the endpoints are there"),
            None => trial.warn(
                "it has no revocation endpoint",
                "Switch token revocation on at the app client: signing out cannot revoke refresh tokens.",
            ),
        };
        (finding, Some(authorization))
    }

    /// The signing keys of every issuer, read as the proxy reads them.
    async fn jwks(&self, discovery_failed: bool) -> Finding {
        let place = match &self.settings.jwks_uri {
            Some(url) => format!("at {}", url.host_str().unwrap_or_default()),
            None => "below each issuer".to_owned(),
        };
        let trial = Trial::new("jwks", format!("read the signing keys {place}"));
        let keys = match edge::cognito_keys(self.settings, self.clock, None) {
            Ok((keys, _)) => keys,
            Err(error) => return trial.fail(causes(&error), "Check [cognito]."),
        };
        match keys.warm().await {
            Ok(()) => trial.ok("there are RS256 keys to check tokens with"),
            Err(_) if discovery_failed && self.settings.jwks_uri.is_none() => {
                trial.skip("there are none at this issuer, see discovery")
            }
            Err(error) => trial.fail(
                causes(&error),
                "No token can be checked without them. Check cognito.jwks_uri and cognito.additional_issuers, and the rules for outgoing connections.",
            ),
        }
    }

    async fn domain(&mut self, trial: Trial, endpoint: &Url) -> Finding {
        let host = endpoint.host_str().unwrap_or_default();
        match endpoint.join("/") {
            Err(_) => trial.fail("its URL has no host", "Check the user pool's domain."),
            Ok(origin) => match self.get(origin).await {
                Ok(answer) if answer.status >= 500 => trial.fail(
                    format!("{host} answered with status {}", answer.status),
                    "Cognito, or something on the way to it, has a fault; see the AWS status page.",
                ),
                Ok(_) => trial.ok(format!("{host} answers")),
                Err(NoAnswer { said, .. }) => trial.fail(format!("{host}: {said}"), UNREACHABLE),
            },
        }
    }

    /// Whether Cognito knows the app client and our callback, and takes our secret: as far as it says without anybody
    /// signing in.
    async fn registration(&mut self, client: Trial, secret: Trial) -> (Finding, Finding) {
        let provider = edge::cognito_provider(self.settings, None).map_err(|error| causes(&error));
        let provider = match provider {
            Ok(provider) => provider,
            Err(said) => return (client.fail(said, "Check [cognito]."), secret.skip("see app-client")),
        };
        let client = self.app_client(client, provider.as_ref()).await;
        if client.is_failure() {
            return (client, secret.skip("cannot be told before the app client is right"));
        }
        let secret = self.secret(secret, provider.as_ref()).await;
        (client, secret)
    }

    async fn app_client(&mut self, trial: Trial, provider: &dyn IdentityProvider) -> Finding {
        let Some(route) = self.config.routes.first() else { return trial.skip("there is no route") };
        let request =
            SignIn { state: "doctor", nonce: "doctor", code_challenge: CHALLENGE, resource: &route.resource };
        let url = match provider.sign_in_url(&request).await {
            Ok(url) => url,
            Err(error) => {
                return trial.fail(causes(&error), "The endpoints of the discovery document must be https.");
            }
        };
        let answer = match self.get(url).await {
            Ok(answer) => answer,
            Err(NoAnswer { said, .. }) => return trial.fail(said, UNREACHABLE),
        };
        match refusal(&answer, &self.settings.redirect_uri) {
            Verdict::Shown => trial
                .ok(format!("the client id and the callback {} are registered", self.settings.redirect_uri)),
            Verdict::Unclear => trial.warn(
                format!("the answer has status {}, from which nothing can be told", answer.status),
                "Try a sign-in. A good request is answered with a redirect to the sign-in page.",
            ),
            Verdict::Refused(error) => {
                let advice = self.what_to_register(&error);
                trial.fail(format!("Cognito refuses: {error}"), advice)
            }
        }
    }

    fn what_to_register(&self, error: &str) -> String {
        let config::Cognito { client_id, redirect_uri, scopes, .. } = self.settings;
        let callback = format!(
            "Add {redirect_uri}, exactly so, to the allowed callback URLs of app client {client_id}."
        );
        match error {
            "redirect_mismatch" => callback,
            "invalid_scope" => {
                format!("Allow the scopes of cognito.scopes at app client {client_id}: {}.", scopes.join(" "))
            }
            "invalid_client" | "unauthorized_client" => format!(
                "Check that cognito.client_id, {client_id}, is an app client of this user pool that may use the authorization code grant."
            ),
            _ => format!(
                "{callback} Check that it is an app client of this user pool, with the authorization code grant and these scopes: {}.",
                scopes.join(" ")
            ),
        }
    }

    /// A client that proves itself wrongly is told so before its code is looked at.
    async fn secret(&self, trial: Trial, provider: &dyn IdentityProvider) -> Finding {
        let (code, verifier) = (Secret::new("doctor"), Secret::new("d".repeat(43)));
        match provider.exchange(&code, &verifier).await {
            Err(ProviderError::GrantRefused { .. }) => trial.ok(match self.settings.client_secret {
                Some(_) => "Cognito refused the code, and so took the client secret",
                None => "Cognito refused the code, and so took the client without a secret",
            }),
            Err(ProviderError::Misconfigured { code }) => {
                let advice = match self.settings.client_secret {
                    Some(_) => {
                        "Check cognito.client_secret_file (or PROXY_COGNITO__CLIENT_SECRET) against the app client's secret; a public client must have none."
                    }
                    None => {
                        "The app client has a secret: give it as cognito.client_secret_file or PROXY_COGNITO__CLIENT_SECRET."
                    }
                };
                trial.fail(format!("Cognito refuses the client: {code}"), advice)
            }
            Err(error @ ProviderError::Unavailable(_)) => {
                trial.warn(causes(&error), "Nothing can be told from that. Run this again.")
            }
            Ok(_) => trial.warn("it was taken", "That is no Cognito: see what cognito.issuer names."),
        }
    }

    fn time(&self) -> Finding {
        let trial = Trial::new("clock", "compared the time in Cognito's answers with ours");
        clock_finding(trial, self.ahead, self.settings.clock_leeway, "cognito.clock_leeway_seconds")
    }
}

/// What an answer of the authorization endpoint says of client and callback.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// They are good: the browser goes on, to a sign-in page or another provider's.
    Shown,
    Refused(String),
    Unclear,
}

/// Cognito shows its own error page when it does not know client or callback, and tells the callback of all else.
fn refusal(answer: &Answer, callback: &Url) -> Verdict {
    let Some(to) = answer.location.as_ref().filter(|_| (300..400).contains(&answer.status)) else {
        return match answer.status {
            400..=499 => Verdict::Refused(format!("status {}", answer.status)),
            _ => Verdict::Unclear,
        };
    };
    let error = to.query_pairs().find(|(name, _)| name == "error").map(|(_, error)| printable(&error));
    let is_callback = to.origin() == callback.origin() && to.path() == callback.path();
    match error {
        Some(error) => Verdict::Refused(error),
        None if is_callback => Verdict::Unclear,
        None if to.path().trim_end_matches('/').ends_with("/error") => {
            Verdict::Refused("its error page, without a reason".to_owned())
        }
        None => Verdict::Shown,
    }
}
