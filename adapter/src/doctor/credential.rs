//! Plane with somebody's credential: who they are there, and what Plane takes from them.

use std::sync::Arc;

use cognito::{HttpKeys, KeyPolicy, KeySet, Nonce, Verifier};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use service::probe::{Answer, Finding, NoAnswer, Trial, ask, printable};
use service::{Clock, Secret, SystemClock};

use super::plane::{LIMIT, ME, NOT_SIGNED_IN, V1_ME, join, said};
use crate::config::{Config, http_client};

const SIGN_IN: &str = "The reverse proxy at plane.base_url refused the token, or Plane did not take the user it named: see oauth2-proxy's log (issuer, audience, --skip-jwt-bearer-tokens; docs/traefik.md), then Plane's.";

/// Asks as the credential's user, as a tool would, and changes nothing.
pub(super) async fn probe(trial: Trial, config: &Config, clock: &Arc<dyn Clock>, bearer: &Secret) -> Finding {
    let Ok(http) = http_client(&config.plane.trust, LIMIT) else {
        return trial.skip("no client could be made, see plane-front");
    };
    // Three parts with dots between: what else would be a key.
    if bearer.expose().split('.').count() == 3 {
        identity(trial, config, clock, (&http, bearer)).await
    } else {
        key(trial, config, (&http, bearer)).await
    }
}

async fn key(trial: Trial, config: &Config, (http, key): (&Client, &Secret)) -> Finding {
    let base = config.plane.api_url.as_ref().unwrap_or(&config.plane.base_url);
    let answer = match read(http.get(join(base, V1_ME)).header("x-api-key", key.expose())).await {
        Ok(answer) => answer,
        Err(said) => return trial.fail(said, "See plane-api."),
    };
    let Some(user) = user(&answer) else {
        return trial.fail(
            format!("Plane refused the key (status {})", answer.status),
            "It is unknown, expired or inactive: its owner makes another in Plane's settings.",
        );
    };
    let left = answer.header("x-ratelimit-remaining").map(printable);
    let left = left.map_or_else(
        || "Plane told no limit".to_owned(),
        |left| format!("{left} requests are left this minute"),
    );
    trial.ok(format!("an API key of {user}; {left}"))
}

async fn identity(
    trial: Trial,
    config: &Config,
    clock: &Arc<dyn Clock>,
    (http, token): (&Client, &Secret),
) -> Finding {
    let username = match verified(config, clock, token).await {
        Ok(username) => username,
        Err(reason) => {
            return trial.fail(
                format!("it is no ID token that the adapter takes ({reason})"),
                "Give an ID token (not an access token) of cognito.issuer for one of cognito.client_ids, less than an hour old.",
            );
        }
    };
    let signed_in = |path: &str| http.get(join(&config.plane.base_url, path)).bearer_auth(token.expose());
    let answer = match read(signed_in(ME)).await {
        Ok(answer) => answer,
        Err(said) => return trial.fail(said, "See plane-front."),
    };
    let Some(user) = user(&answer) else {
        return trial.fail(
            format!("Plane knows nobody by the token of {username} (status {})", answer.status),
            SIGN_IN,
        );
    };
    let who = format!("an ID token of {username}, who is {user} in Plane");
    match read(signed_in(V1_ME)).await {
        Err(said) => trial.fail(said, "See plane-front."),
        Ok(answer) if answer.status == 200 => trial.ok(format!("{who}; /api/v1 takes their session")),
        Ok(answer) if said(&answer).as_deref() == Some(NOT_SIGNED_IN) => {
            let can = config.plane.keys.mint && config.plane.api_url.is_some();
            if can {
                trial.ok(format!("{who}; /api/v1 takes only API keys, and one is made when a tool needs it"))
            } else {
                trial.fail(
                    format!("{who}; /api/v1 takes only API keys, and none can be made"),
                    "Set plane.api_url to Plane itself, and plane.key_minting = \"auto\".",
                )
            }
        }
        Ok(answer) => trial.fail(format!("{who}; /api/v1 answers with status {}", answer.status), SIGN_IN),
    }
}

/// The token's user name, if it is one the adapter takes.
async fn verified(config: &Config, clock: &Arc<dyn Clock>, token: &Secret) -> Result<String, &'static str> {
    let settings = &config.cognito;
    let fetch = HttpKeys::with(settings.trust.apply(Client::builder())).map_err(|_| "keys_unavailable")?;
    let keys =
        KeySet::new(settings.sources.clone(), Arc::new(fetch), Arc::clone(clock), KeyPolicy::default());
    let verifier =
        Verifier::new(Arc::new(keys), settings.client_ids.clone(), Arc::clone(clock), settings.leeway);
    let token = verifier.id_token(token.expose(), Nonce::Unchecked).await.map_err(|error| error.reason())?;
    Ok(printable(&token.username))
}

/// What Plane calls the user.
fn user(answer: &Answer) -> Option<String> {
    let json = answer.json().ok()?;
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("email").or_else(|| text("display_name")).or_else(|| text("id")).map(printable)
}

async fn read(request: RequestBuilder) -> Result<Answer, String> {
    ask(request, &SystemClock).await.map_err(|NoAnswer { said, .. }| said)
}
