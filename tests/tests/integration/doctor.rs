//! `doctor`: each fault is named by the probe it belongs to and by no other.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use service::{Clock, ManualClock, SystemClock};
use stack::{
    cognito::{Fault, Faults},
    ports::free_port,
    process::{Process, our_binary},
    program::{Kind, Program},
    proxy::fresh_key,
    scratch::Scratch,
    settings::Settings,
    stack::{Stack, Store},
};

mod hangs;

/// What a doctor is given.
struct Patient {
    settings: Settings,
    environment: BTreeMap<String, String>,
    ca_file: String,
}

/// What it said.
struct Diagnosis {
    code: Option<i32>,
    output: String,
}

impl Patient {
    fn of(stack: &Stack) -> Self {
        Self {
            settings: stack.proxies[0].settings.clone(),
            environment: stack.environment(),
            ca_file: stack.authority.file().display().to_string(),
        }
    }

    async fn run(&self, more: &[&str]) -> Diagnosis {
        let scratch = Scratch::new("doctor").unwrap();
        let config = scratch.write("config.toml", self.settings.text()).unwrap().display().to_string();
        let mut arguments = vec!["--config", &config, "doctor", "--ca-file", &self.ca_file];
        arguments.extend(more);
        let program = our_binary("mcp-edge-proxy", "PROXY_BIN").unwrap();
        let mut process =
            Process::start("doctor", program.as_os_str(), arguments, &self.environment).unwrap();
        let code = process.wait_ended().await.unwrap().code();
        Diagnosis { code, output: process.log().text() }
    }

    async fn examine(&self) -> Diagnosis {
        self.run(&["--json"]).await
    }
}

impl Diagnosis {
    fn report(&self) -> Value {
        let line = self.output.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no report in:\n{}", self.output))).unwrap()
    }

    /// What a probe said.
    fn finding(&self, probe: &str) -> Value {
        let report = self.report();
        let found = report["probes"].as_array().unwrap().iter().find(|one| one["probe"] == probe).cloned();
        found.unwrap_or_else(|| panic!("no {probe} in:\n{}", self.output))
    }

    /// Every probe that did not say `ok`, by what it said instead.
    fn not_ok(&self) -> BTreeMap<String, String> {
        let report = self.report();
        let probes = report["probes"].as_array().unwrap().iter();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        probes
            .filter(|one| one["status"] != "ok")
            .map(|one| (text(one, "probe"), text(one, "status")))
            .collect()
    }

    /// Exactly `probe` fails, `skipped` cannot be told because of it, all others are good; gives what it means and
    /// what to do.
    fn assert_only(&self, probe: &str, skipped: &[&str]) -> String {
        let mut expected = BTreeMap::from([(probe.to_owned(), "fail".to_owned())]);
        expected.extend(skipped.iter().map(|one| ((*one).to_owned(), "skip".to_owned())));
        assert_eq!(self.not_ok(), expected, "{}", self.output);
        assert_eq!((self.code, &self.report()["ok"]), (Some(1), &json!(false)));
        let finding = self.finding(probe);
        let advice = finding["advice"].as_str().unwrap();
        assert!(!advice.is_empty(), "{finding}");
        format!("{} {advice}", finding["means"].as_str().unwrap())
    }
}

async fn stack() -> Stack {
    Stack::builder().store(Store::Valkey).start().await.unwrap()
}

#[tokio::test]
async fn a_good_deployment_is_good_in_every_probe_and_no_secret_is_said() {
    let stack = stack().await;
    let valkey = stack.valkey.as_ref().unwrap();
    let rights = "+get +set +del +getdel +pexpire +eval +evalsha +time +publish +subscribe +ping +hello +select +info +client";
    let user = format!("ACL SETUSER edge on >valkey-password ~mcp-edge:* &mcp-edge:* {rights} +scan");
    assert_eq!(valkey.command(&user).unwrap(), "+OK");
    let mut patient = Patient::of(&stack);
    let url = valkey.url().replace("redis://", "redis://edge:valkey-password@");
    patient.environment.insert("PROXY_VALKEY__URL".to_owned(), url);
    let (read, machine) = (patient.run(&[]).await, patient.examine().await);
    assert_eq!((read.code, machine.code), (Some(0), Some(0)), "{}", read.output);
    assert_eq!(machine.not_ok(), BTreeMap::new(), "{}", machine.output);

    let probes = [
        "configuration",
        "discovery",
        "jwks",
        "oauth-domain",
        "app-client",
        "client-secret",
        "clock",
        "valkey",
        "vault-keys",
        "certificate",
        "public-url",
        "upstream",
    ];
    let report = machine.report();
    let said: Vec<&str> =
        report["probes"].as_array().unwrap().iter().map(|one| one["probe"].as_str().unwrap()).collect();
    assert_eq!(said, probes);
    for probe in probes {
        let starts = format!("ok    {probe} ");
        assert!(read.output.lines().any(|line| line.starts_with(&starts)), "{probe}: {}", read.output);
    }
    assert!(read.output.contains("not looked at: Plane"), "{}", read.output);

    let secret = stack.cognito.client_secret.clone().unwrap();
    let key = stack.surroundings.vault_keys.split_once(':').unwrap().1.to_owned();
    for secret in ["valkey-password", &secret, &key] {
        assert!(!read.output.contains(secret) && !machine.output.contains(secret), "{secret}");
    }
    assert!(!valkey.dump().unwrap().iter().any(|(name, _)| name.contains("doctor")), "nothing is left");
}

#[tokio::test]
async fn a_wrong_issuer_is_named_by_discovery() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    let issuer = stack.cognito.issuer_url().to_owned();
    let unknown = ["oauth-domain", "app-client", "client-secret"];

    patient.settings.set("cognito.issuer", format!("{issuer}x"));
    let said = patient.examine().await.assert_only("discovery", &[&unknown[..], &["jwks"]].concat());
    assert!(said.contains("404") && said.contains("cognito.user_pool_id"), "{said}");

    // The same pool by another name: its tokens would say otherwise.
    patient.settings.set("cognito.issuer", issuer.replace("127.0.0.1", "localhost"));
    let said = patient.examine().await.assert_only("discovery", &unknown);
    assert!(said.contains(&issuer), "{said}");
}

#[tokio::test]
async fn an_unregistered_callback_client_or_scope_is_named_by_app_client() {
    let stack = stack().await;
    let callback = "https://elsewhere.example/auth/callback";
    let cases = [
        ("cognito.redirect_uri", callback.into(), "redirect_mismatch", callback),
        ("cognito.client_id", "0unknownclient".into(), "invalid_client", "0unknownclient"),
        ("cognito.scopes", vec!["openid", "plane/all"].into(), "invalid_scope", "plane/all"),
    ];
    for (key, value, error, named) in cases {
        let mut patient = Patient::of(&stack);
        patient.settings.set(key, toml::Value::clone(&value));
        let said = patient.examine().await.assert_only("app-client", &["client-secret"]);
        assert!(said.contains(error) && said.contains(named), "{said}");
    }
}

#[tokio::test]
async fn a_wrong_client_secret_is_named_and_not_said() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    patient.environment.insert("PROXY_COGNITO__CLIENT_SECRET".to_owned(), "not-its-secret".to_owned());
    let diagnosis = patient.examine().await;
    let said = diagnosis.assert_only("client-secret", &[]);
    assert!(said.contains("invalid_client") && !diagnosis.output.contains("not-its-secret"), "{said}");
    patient.environment.remove("PROXY_COGNITO__CLIENT_SECRET");
    let said = patient.examine().await.assert_only("client-secret", &[]);
    assert!(said.contains("The app client has a secret"), "{said}");
}

#[tokio::test]
async fn missing_keys_and_a_dead_oauth_domain_are_told_apart() {
    let stack = stack().await;
    let patient = Patient::of(&stack);
    let jwks = Some(Fault::Status(200, json!({ "keys": [] }).to_string()));
    stack.cognito.set_faults(Faults { jwks, ..Faults::default() });
    let said = patient.examine().await.assert_only("jwks", &[]);
    assert!(said.contains("no usable key"), "{said}");

    let at = format!("http://127.0.0.1:{}/oauth2", free_port().unwrap());
    let document = json!({
        "issuer": stack.cognito.issuer_url(),
        "authorization_endpoint": format!("{at}/authorize"),
        "token_endpoint": format!("{at}/token"),
        "revocation_endpoint": format!("{at}/revoke"),
    });
    let discovery = Some(Fault::Status(200, document.to_string()));
    stack.cognito.set_faults(Faults { discovery, ..Faults::default() });
    patient.examine().await.assert_only("oauth-domain", &["app-client", "client-secret"]);
}

#[tokio::test]
async fn a_skewed_clock_is_named_and_one_within_the_leeway_is_not() {
    let clock = ManualClock::at(SystemClock.unix());
    let pool = Arc::new(clock.clone());
    let stack = Stack::builder().store(Store::Valkey).cognito(|options| options.clock = pool);
    let stack = stack.start().await.unwrap();
    let patient = Patient::of(&stack);
    clock.set(SystemClock.unix() + 15);
    let good = patient.examine().await;
    assert_eq!((good.not_ok(), good.code), (BTreeMap::new(), Some(0)), "{}", good.output);
    clock.set(SystemClock.unix() + 45);
    let near = patient.examine().await;
    assert_eq!((near.finding("clock")["status"].as_str(), near.code), (Some("warn"), Some(0)));
    clock.set(SystemClock.unix() + 600);
    let said = patient.examine().await.assert_only("clock", &[]);
    assert!(said.contains("behind") && said.contains("NTP"), "{said}");
    clock.set(SystemClock.unix() - 600);
    assert!(patient.examine().await.assert_only("clock", &[]).contains("ahead"));
}

#[tokio::test]
async fn valkey_that_is_down_or_refuses_us_is_named() {
    let mut stack = stack().await;
    let mut patient = Patient::of(&stack);
    let url = stack.valkey.as_ref().unwrap().url();
    let wrong = url.replace("redis://", "redis://edge:a-wrong-password@");
    patient.environment.insert("PROXY_VALKEY__URL".to_owned(), wrong);
    let diagnosis = patient.examine().await;
    let said = diagnosis.assert_only("valkey", &["vault-keys"]);
    assert!(said.contains("password") && !diagnosis.output.contains("a-wrong-password"), "{said}");

    patient.environment.insert("PROXY_VALKEY__URL".to_owned(), url);
    stack.valkey.as_ref().unwrap().freeze(true).unwrap();
    let said = patient.examine().await.assert_only("valkey", &["vault-keys"]);
    assert!(said.contains("it hangs") && !said.contains("Check user"), "{said}");
    stack.valkey.as_mut().unwrap().stop();
    let said = patient.examine().await.assert_only("valkey", &["vault-keys"]);
    assert!(said.contains("no connection"), "{said}");
}

/// Takes rights away from the ACL user, one at a time.
async fn assert_named(rights: &[&str]) {
    let stack = stack().await;
    let valkey = stack.valkey.as_ref().unwrap();
    let mut patient = Patient::of(&stack);
    let url = valkey.url().replace("redis://", "redis://edge:password@");
    patient.environment.insert("PROXY_VALKEY__URL".to_owned(), url);
    let create = "ACL SETUSER edge on >password ~mcp-edge:* &mcp-edge:* +@all";
    assert_eq!(valkey.command(create).unwrap(), "+OK");
    for right in rights {
        assert_eq!(valkey.command(&format!("ACL SETUSER edge +@all -{right}")).unwrap(), "+OK");
        let said = patient.examine().await.assert_only("valkey", &[]);
        assert!(said.contains(&format!("{right} (")) && said.contains("~mcp-edge:*"), "{right}: {said}");
    }
}

#[tokio::test]
async fn a_missing_right_in_valkey_is_named() {
    assert_named(&["set", "get", "pexpire", "getdel", "time"]).await;
}

#[tokio::test]
async fn a_missing_right_to_publish_or_to_subscribe_is_named() {
    assert_named(&["publish", "subscribe"]).await;
}

#[tokio::test]
async fn records_that_need_a_missing_or_an_older_key_are_counted() {
    let stack = stack().await;
    stack.sign_in("alice").await.unwrap();
    let mut patient = Patient::of(&stack);
    let (new, old) = (fresh_key("new").unwrap(), stack.surroundings.vault_keys.clone());
    patient.environment.insert("PROXY_VAULT__KEYS".to_owned(), new.clone());
    let said = patient.examine().await.assert_only("vault-keys", &[]);
    assert!(said.contains("test (") && said.contains("503"), "{said}");

    patient.environment.insert("PROXY_VAULT__KEYS".to_owned(), format!("{new}\n{old}"));
    let diagnosis = patient.examine().await;
    assert_eq!(diagnosis.code, Some(0), "{}", diagnosis.output);
    let means = diagnosis.finding("vault-keys")["means"].as_str().unwrap().to_owned();
    assert!(means.contains("older keys") && means.contains("test ("), "{means}");
}

#[tokio::test]
async fn an_expired_or_foreign_certificate_is_named() {
    let stack = stack().await;
    let ended = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2025, 2, 1);
    let ended = stack.authority.issue_with("ended", ended).unwrap();
    let foreign = stack.authority.issue_with("foreign", |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())];
    });
    let foreign = foreign.unwrap();
    let mut patient = Patient::of(&stack);
    for (files, expected) in [(&ended, "days ago"), (&foreign, "not for 127.0.0.1")] {
        patient.settings.set("tls.cert_file", files.cert_file.display().to_string());
        patient.settings.set("tls.key_file", files.key_file.display().to_string());
        let said = patient.examine().await.assert_only("certificate", &[]);
        assert!(said.contains(expected), "{said}");
    }

    // The same, and the proxy shows it: what is behind it cannot be told.
    let port = free_port().unwrap();
    let callback = format!("{}/auth/callback", stack.origin());
    patient.settings.set("server.public_url", format!("https://127.0.0.1:{port}"));
    patient.settings.set("server.listen", format!("127.0.0.1:{port}"));
    patient.settings.set("cognito.redirect_uri", callback);
    let shown = Program::start_unready(Kind::Proxy, &patient.settings, &patient.environment).await;
    let _shown = shown.unwrap();
    patient.examine().await.assert_only("certificate", &["public-url"]);
}

#[tokio::test]
async fn an_unknown_authority_is_named_where_clients_meet_it() {
    let stack = stack().await;
    let mut patient = Patient::of(&stack);
    let other = stack::certificate::Authority::new().unwrap();
    patient.ca_file = other.file().display().to_string();
    let diagnosis = patient.examine().await;
    let expected = [("certificate", "warn"), ("public-url", "fail")];
    let expected = expected.map(|(probe, status)| (probe.to_owned(), status.to_owned()));
    assert_eq!(diagnosis.not_ok(), BTreeMap::from(expected), "{}", diagnosis.output);
    assert!(diagnosis.finding("certificate")["advice"].as_str().unwrap().contains("intermediate"));
}

#[tokio::test]
async fn an_adapter_that_is_down_is_named() {
    let mut stack = stack().await;
    stack.adapter.program.process().kill();
    let patient = Patient::of(&stack);
    let said = patient.examine().await.assert_only("upstream", &[]);
    assert!(said.contains("upstream of the route"), "{said}");
}

#[tokio::test]
async fn a_public_url_that_is_down_or_somebody_elses_is_named() {
    let mut stack = stack().await;
    let mut patient = Patient::of(&stack);
    // Another program answers for the host, as where a router takes /.well-known/ away.
    let callback = format!("{}/auth/callback", stack.origin());
    patient.settings.set("cognito.redirect_uri", callback);
    patient.settings.set("server.public_url", stack.echo.url());
    let said = patient.examine().await.assert_only("public-url", &[]);
    assert!(said.contains("/.well-known/oauth-authorization-server") && said.contains("Traefik"), "{said}");

    stack.proxy().unwrap().program.process().kill();
    let patient = Patient::of(&stack);
    let said = patient.examine().await.assert_only("public-url", &[]);
    assert!(said.contains("Check that the proxy runs"), "{said}");
}

#[tokio::test]
async fn sessions_in_memory_are_a_warning() {
    let stack = Stack::start().await.unwrap();
    let diagnosis = Patient::of(&stack).examine().await;
    let expected = BTreeMap::from([("valkey".to_owned(), "warn".to_owned())]);
    assert_eq!((diagnosis.not_ok(), diagnosis.code), (expected, Some(0)), "{}", diagnosis.output);
}

#[tokio::test]
async fn a_bad_configuration_is_all_there_is_to_say() {
    let stack = Stack::start().await.unwrap();
    let mut patient = Patient::of(&stack);
    patient.settings.set("server.threads", "many");
    patient.settings.set("tls.cert_fil", "/nowhere.pem");
    let before = stack.cognito.requests().len();
    let machine = patient.examine().await;
    assert_eq!((machine.code, machine.not_ok().len()), (Some(64), 1), "{}", machine.output);
    let advice = machine.finding("configuration")["advice"].as_str().unwrap().to_owned();
    assert!(advice.contains("server.threads: ") && advice.contains("tls.cert_fil: "), "{advice}");
    let read = patient.run(&[]).await;
    assert!(read.code == Some(64) && read.output.contains("        server.threads: "), "{}", read.output);
    assert_eq!(stack.cognito.requests().len(), before, "nothing was asked");
}
