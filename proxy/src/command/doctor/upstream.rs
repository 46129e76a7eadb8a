//! What is behind us: whether each upstream answers.

use service::SystemClock;
use url::Url;

use crate::config::{Config, RouteKind};
use service::probe::{self, Finding, NoAnswer, Trial};

/// Every upstream, each once.
pub(super) async fn probe(config: &Config) -> Vec<Finding> {
    let mut asked: Vec<(Url, bool)> = Vec::new();
    for route in &config.routes {
        let health = route.upstream.as_ref().and_then(|upstream| upstream.join("/healthz").ok());
        let is_adapter = route.kind != RouteKind::Http;
        if let Some(url) = health {
            match asked.iter_mut().find(|(known, _)| *known == url) {
                Some((_, known)) => *known |= is_adapter,
                None => asked.push((url, is_adapter)),
            }
        }
    }
    if asked.is_empty() {
        let trial = Trial::new("upstream", "looked for upstreams");
        return vec![trial.skip("there are none: Traefik routes, and only asks the proxy")];
    }
    let mut findings = Vec::new();
    for (url, is_adapter) in asked {
        findings.push(one(config, url, is_adapter).await);
    }
    findings
}

/// The adapter has `/healthz`; of any other program only an answer is expected.
async fn one(config: &Config, url: Url, is_adapter: bool) -> Finding {
    let trial = Trial::new("upstream", format!("read {url}"));
    let settings = &config.upstream;
    // As the proxy does, which goes to upstreams directly.
    let builder = reqwest::Client::builder().no_proxy().connect_timeout(settings.connect_timeout);
    let limit = settings.connect_timeout * 2;
    let http = match probe::client(builder, settings.ca_file.as_deref(), limit) {
        Ok(http) => http,
        Err(said) => return trial.fail(said, "Check upstream.ca_file."),
    };
    match probe::get(&http, url, &SystemClock).await {
        Ok(answer) if answer.status == 200 => trial.ok("it answers"),
        Ok(answer) if is_adapter || answer.status >= 500 => trial.warn(
            format!("it answers with status {}", answer.status),
            "The adapter answers 200 there: check the upstream of the route.",
        ),
        Ok(answer) => trial.ok(format!("it answers (with status {}, as it has no such path)", answer.status)),
        Err(NoAnswer { said, .. }) => trial.fail(
            said,
            "Check that it runs, the upstream of the route, network policies, and upstream.ca_file for https.",
        ),
    }
}
