//! `plane-mcp-adapter doctor`: each fault is named by the probe it belongs to and by no other.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use service::{Clock, ManualClock, SystemClock};
use stack::{
    cognito::{Fault, Faults},
    plane::PlaneAuth,
    ports::free_port,
    process::{Process, our_binary},
    scratch::Scratch,
    settings::Settings,
    stack::Stack,
};

/// What it said.
struct Diagnosis {
    code: Option<i32>,
    output: String,
}

/// Runs it with `--json`, if told with a credential.
async fn examine(settings: &Settings, bearer: Option<&str>) -> Diagnosis {
    let mut more = vec!["--json".to_owned()];
    let scratch = Scratch::new("adapter-doctor").unwrap();
    if let Some(bearer) = bearer {
        let file = scratch.write("bearer", format!("{bearer}\n")).unwrap();
        more.extend(["--bearer-file".to_owned(), file.display().to_string()]);
    }
    run(&scratch, settings, &more).await
}

async fn run(scratch: &Scratch, settings: &Settings, more: &[String]) -> Diagnosis {
    let config = scratch.write("config.toml", settings.text()).unwrap().display().to_string();
    let mut arguments = vec!["--config", &config, "doctor"];
    arguments.extend(more.iter().map(String::as_str));
    let program = our_binary("plane-mcp-adapter", "ADAPTER_BIN").unwrap();
    let mut process = Process::start("doctor", program.as_os_str(), arguments, &BTreeMap::new()).unwrap();
    let code = process.wait_ended().await.unwrap().code();
    Diagnosis { code, output: process.log().text() }
}

impl Diagnosis {
    fn report(&self) -> Value {
        let line = self.output.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no report in:\n{}", self.output))).unwrap()
    }

    /// Every probe that did not say `ok`, by what it said instead.
    fn not_ok(&self) -> BTreeMap<String, String> {
        let report = self.report();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let probes = report["probes"].as_array().unwrap().iter().filter(|one| one["status"] != "ok");
        probes.map(|one| (text(one, "probe"), text(one, "status"))).collect()
    }

    fn means(&self, probe: &str) -> String {
        let report = self.report();
        let found = report["probes"].as_array().unwrap().iter().find(|one| one["probe"] == probe).cloned();
        found.unwrap_or_else(|| panic!("no {probe} in:\n{}", self.output))["means"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Exactly these are not `ok`; gives what the first of them means.
    fn assert_only(&self, expected: &[(&str, &str)]) -> String {
        let named: BTreeMap<String, String> =
            expected.iter().map(|(probe, status)| ((*probe).to_owned(), (*status).to_owned())).collect();
        assert_eq!(self.not_ok(), named, "{}", self.output);
        let fails = expected.iter().any(|(_, status)| *status == "fail");
        assert_eq!((self.code, &self.report()["ok"]), (Some(i32::from(fails)), &json!(!fails)));
        expected.first().map(|(probe, _)| self.means(probe)).unwrap_or_default()
    }
}

/// As the running adapter is configured, with the addresses it got.
fn settings(stack: &Stack) -> Settings {
    let mut settings = stack.adapter.settings.clone();
    let program = &stack.adapter.program;
    settings.set("server.listen", program.public().to_string());
    settings.set("server.admin_listen", program.listener("admin").unwrap().to_string());
    settings
}

#[tokio::test]
async fn a_good_deployment_is_good_in_every_probe_and_no_credential_is_said() {
    let stack = Stack::start().await.unwrap();
    let settings = settings(&stack);
    let probes = ["configuration", "jwks", "clock", "listening", "plane-front", "plane-api", "plane-version"];
    let without = examine(&settings, None).await;
    without.assert_only(&[]);
    let report = without.report();
    let said: Vec<&str> =
        report["probes"].as_array().unwrap().iter().map(|one| one["probe"].as_str().unwrap()).collect();
    assert_eq!(said, probes);
    assert!(
        without.means("plane-version").starts_with("Plane 1.3.1 (PLANE_COMMUNITY)"),
        "{}",
        without.output
    );

    let token = stack.cognito.mint_id_token("alice", &json!({})).unwrap();
    let key = stack.plane.api_key_for("alice");
    for (bearer, words) in [(&token, "/api/v1 takes their session"), (&key, "requests are left this minute")]
    {
        let with = examine(&settings, Some(bearer)).await;
        with.assert_only(&[]);
        let means = with.means("credential");
        assert!(means.contains("alice@example.com") && means.contains(words), "{means}");
        assert!(!with.output.contains(bearer.as_str()), "{}", with.output);
    }
    for request in stack.plane.requests() {
        let both = request.headers.contains_key("authorization") && request.headers.contains_key("x-api-key");
        assert!(!both, "a token and a key never travel together");
    }

    let scratch = Scratch::new("adapter-doctor-text").unwrap();
    let read = run(&scratch, &settings, &[]).await;
    for probe in probes {
        let starts = format!("ok    {probe} ");
        assert!(read.output.lines().any(|line| line.starts_with(&starts)), "{probe}: {}", read.output);
    }
    assert!(read.output.contains("not looked at: Plane as a user sees it"), "{}", read.output);
}

#[tokio::test]
async fn what_plane_takes_from_signed_in_users_is_told() {
    let stack = Stack::builder().plane(|plane| plane.auth = PlaneAuth::Keyed).start().await.unwrap();
    let mut settings = settings(&stack);
    let token = stack.cognito.mint_id_token("alice", &json!({})).unwrap();
    let good = examine(&settings, Some(&token)).await;
    good.assert_only(&[]);
    let means = good.means("credential");
    assert!(means.contains("takes only API keys, and one is made when a tool needs it"), "{means}");
    assert_eq!(stack.plane.api_keys_of("alice"), 0, "the doctor makes none");

    settings.set("plane.key_minting", "off");
    let off = examine(&settings, Some(&token)).await;
    assert!(off.assert_only(&[("credential", "fail")]).contains("none can be made"), "{}", off.output);
    settings.set("plane.key_minting", "auto");
    settings.set("plane.api_url", "");
    let nowhere = examine(&settings, Some(&token)).await;
    nowhere.assert_only(&[("credential", "fail"), ("plane-api", "warn"), ("plane-version", "skip")]);
}

#[tokio::test]
async fn an_address_of_plane_that_is_wrong_is_named() {
    let stack = Stack::start().await.unwrap();
    let good = settings(&stack);
    let dead = format!("http://127.0.0.1:{}", free_port().unwrap());
    let changed = |key: &str, value: &str| {
        let mut settings = good.clone();
        settings.set(key, value);
        settings
    };
    let (front, plane) = (stack.plane.front_url(), stack.plane.url());

    let means =
        examine(&changed("plane.base_url", &dead), None).await.assert_only(&[("plane-front", "fail")]);
    assert!(means.to_lowercase().contains("connect"), "{means}");
    let means =
        examine(&changed("plane.base_url", &plane), None).await.assert_only(&[("plane-front", "warn")]);
    assert!(means.contains("nothing before it asks for a token"), "{means}");
    let down = [("plane-api", "fail"), ("plane-version", "skip")];
    examine(&changed("plane.api_url", &dead), None).await.assert_only(&down);
    let means = examine(&changed("plane.api_url", &front), None).await.assert_only(&down);
    assert!(means.contains("not Plane's REST API"), "{means}");
}

#[tokio::test]
async fn keys_that_cannot_be_had_and_a_skewed_clock_are_named() {
    let clock = ManualClock::at(SystemClock.unix());
    let pool = std::sync::Arc::new(clock.clone());
    let stack = Stack::builder().cognito(|options| options.clock = pool).start().await.unwrap();
    let settings = settings(&stack);
    clock.set(SystemClock.unix() + 600);
    let means = examine(&settings, None).await.assert_only(&[("clock", "fail")]);
    assert!(means.contains("behind"), "{means}");
    clock.set(SystemClock.unix());
    let jwks = Some(Fault::Status(200, json!({ "keys": [] }).to_string()));
    stack.cognito.set_faults(Faults { jwks, ..Faults::default() });
    let means = examine(&settings, None).await.assert_only(&[("jwks", "fail")]);
    assert!(means.contains("no usable key"), "{means}");
}

#[tokio::test]
async fn a_credential_that_is_refused_is_named_with_who_refused_it() {
    let stack = Stack::start().await.unwrap();
    let settings = settings(&stack);
    let mint = |changes: Value| stack.cognito.mint_id_token("alice", &changes).unwrap();
    let revoked = stack.plane.api_key_for("bob");
    stack.plane.revoke_api_keys("bob");
    let cases = [
        (mint(json!({ "aud": "another-client" })), "no ID token that the adapter takes"),
        (stack.cognito.mint_access_token("alice", &json!({})).unwrap(), "no ID token that the adapter takes"),
        (revoked, "Plane refused the key"),
        ("two words".to_owned(), "holds no credential"),
    ];
    for (bearer, words) in cases {
        let said = examine(&settings, Some(&bearer)).await.assert_only(&[("credential", "fail")]);
        assert!(said.contains(words), "{words}: {said}");
    }
    stack.plane.deactivate("alice");
    let refused = examine(&settings, Some(&mint(json!({})))).await.assert_only(&[("credential", "fail")]);
    assert!(refused.contains("Plane knows nobody by the token of alice"), "{refused}");
}

#[tokio::test]
async fn where_no_adapter_or_another_program_listens_is_told() {
    let stack = Stack::start().await.unwrap();
    let good = settings(&stack);
    let mut elsewhere = good.clone();
    for key in ["server.listen", "server.admin_listen"] {
        elsewhere.set(key, format!("127.0.0.1:{}", free_port().unwrap()));
    }
    let means = examine(&elsewhere, None).await.assert_only(&[("listening", "skip")]);
    assert!(means.contains("no adapter runs here"), "{means}");
    let mut swapped = good.clone();
    swapped.set("server.listen", stack.plane.url().trim_start_matches("http://"));
    let means = examine(&swapped, None).await.assert_only(&[("listening", "fail")]);
    assert!(means.contains("/healthz: status"), "{means}");
    // What listens everywhere is asked here.
    let mut everywhere = good.clone();
    everywhere.set("server.listen", format!("0.0.0.0:{}", stack.adapter.program.public().port()));
    everywhere.set("server.allowed_hosts", vec!["127.0.0.1".to_owned()]);
    examine(&everywhere, None).await.assert_only(&[]);
    let mut bad = good;
    bad.set("plane.base_url", "plane");
    let refused = examine(&bad, None).await;
    assert_eq!((refused.code, refused.not_ok().len()), (Some(64), 1), "{}", refused.output);
}
