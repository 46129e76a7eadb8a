//! A real Prometheus that scrapes programs of a test and evaluates rules.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::Value;
use url::Url;

use crate::{
    ports::free_port,
    process::{Process, tool},
    scratch::Scratch,
    trouble::{Outcome, Trouble, While},
};

/// A running Prometheus. Dropping it stops it.
#[derive(Debug)]
pub struct Prometheus {
    /// The program.
    pub process: Process,
    /// Its answers.
    pub api: Api,
    _scratch: Scratch,
}

/// Asks it.
#[derive(Debug, Clone)]
pub struct Api {
    url: String,
    http: reqwest::Client,
}

/// A series that an expression finds: its labels, and its value now.
pub type Found = (BTreeMap<String, String>, f64);

/// Programs that are scraped under one name.
#[derive(Debug)]
pub struct Job<'a> {
    /// The label `job`.
    pub name: &'a str,
    /// The admin listeners.
    pub targets: Vec<SocketAddr>,
}

impl Prometheus {
    /// Starts it with a file of rules; it scrapes every second, with the label `namespace` for all.
    ///
    /// # Errors
    /// When it is not installed, or refuses its configuration or the rules.
    pub async fn start(namespace: &str, jobs: &[Job<'_>], rules: &str) -> Outcome<Self> {
        let scratch = Scratch::new("prometheus")?;
        let rules = scratch.write("rules.yaml", rules)?;
        let jobs = jobs.iter().map(|job| {
            let targets =
                job.targets.iter().map(|target| format!("'{target}'")).collect::<Vec<_>>().join(", ");
            let labels = format!("labels: {{namespace: {namespace}}}");
            format!("  - {{job_name: {}, static_configs: [{{targets: [{targets}], {labels}}}]}}\n", job.name)
        });
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n{}",
            rules.display(),
            jobs.collect::<String>()
        );
        let config = scratch.write("prometheus.yaml", config)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", scratch.path().join("data").display()),
            format!("--web.listen-address={address}"),
        ];
        let program = tool("prometheus", "PROMETHEUS")?;
        let mut process = Process::start("prometheus", program.as_os_str(), arguments, &BTreeMap::new())?;
        let http = reqwest::Client::builder().no_proxy().build().while_doing("build a client")?;
        let ready = format!("http://{address}/-/ready");
        let is_ready = async |_: &_| {
            http.get(&ready).send().await.ok().filter(|answer| answer.status().is_success()).map(|_| ())
        };
        process.wait_for("ready", is_ready).await?;
        let api = Api { url: format!("http://{address}/api/v1"), http };
        Ok(Self { process, api, _scratch: scratch })
    }

    /// Waits until an expression finds something.
    ///
    /// # Errors
    /// When it does not within [`crate::process::PATIENCE`]; the sentence carries the log.
    pub async fn wait_for(&mut self, expression: &str) -> Outcome {
        let api = self.api.clone();
        let found =
            async |_: &_| api.query(expression).await.ok().filter(|found| !found.is_empty()).map(|_| ());
        self.process.wait_for(&format!("finding {expression}"), found).await
    }
}

impl Api {
    /// What it answers at a path below `/api/v1`, without the envelope.
    ///
    /// # Errors
    /// When it does not answer, or says what is wrong.
    pub async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Outcome<Value> {
        let what = || format!("ask Prometheus for {path} {parameters:?}");
        let url = Url::parse_with_params(&format!("{}/{path}", self.url), parameters).while_doing(what())?;
        let text = self.http.get(url).send().await.while_doing(what())?.text().await.while_doing(what())?;
        let answer: Value = serde_json::from_str(&text).while_doing(what())?;
        match (answer.get("status").and_then(Value::as_str), answer.get("data")) {
            (Some("success"), Some(data)) => Ok(data.clone()),
            _ => Err(Trouble::new(format!("cannot {}: {text}", what()))),
        }
    }

    /// The series that an expression finds now, each with labels and value; not those that are no number.
    ///
    /// # Errors
    /// When Prometheus refuses the expression.
    pub async fn query(&self, expression: &str) -> Outcome<Vec<Found>> {
        let data = self.ask("query", &[("query", expression)]).await?;
        let found = match data.get("result") {
            Some(Value::Array(found)) => found.clone(),
            _ => return Err(Trouble::new(format!("no result of {expression}: {data}"))),
        };
        if data.get("resultType").and_then(Value::as_str) == Some("scalar") {
            let value = found.get(1).and_then(Value::as_str).and_then(|text| text.parse().ok());
            return Ok(value.map(|value: f64| (BTreeMap::new(), value)).into_iter().collect());
        }
        let series = found.iter().filter_map(|one| {
            let labels = serde_json::from_value(one.get("metric")?.clone()).ok()?;
            let value: f64 = one.get("value")?.get(1)?.as_str()?.parse().ok()?;
            (!value.is_nan()).then_some((labels, value))
        });
        Ok(series.collect())
    }
}
