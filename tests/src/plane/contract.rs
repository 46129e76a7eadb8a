//! The double against the captures: the same request gets the same status and a body of the same shape, and mostly the same body.
//!
//! Every capture is played.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use service::ManualClock;

use super::{PlaneAuth, PlaneDouble, PlaneOptions};

/// Captures taken after the minute's requests were used up.
const THROTTLED: [&str; 2] = ["err_429", "err_429_other_endpoint"];

/// Played in shape only: rows made at the time of the request, orders that leave ties open, and the app's list of projects, which
/// was taken before SEC became secret.
const SHAPE_ONLY: [&str; 7] = [
    "app_api_tokens_create",
    "app_api_tokens_create_expiring",
    "app_api_tokens_list",
    "app_api_tokens_retrieve",
    "app_list_projects",
    "app_workspace_states",
    "list_cycle_work_items_order",
];

/// The API token of the captures.
const CAPTURED_TOKEN: &str = "5b04e0c9-ab4e-4009-8c5b-f8ac5100d9b8";

struct Capture {
    name: String,
    method: String,
    target: String,
    auth: String,
    status: u64,
    location: Option<String>,
    body: Value,
}

fn captures() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plane");
    let mut captures = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // The one other file is their README.
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let capture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (method, target) = capture["request"].as_str().unwrap().split_once(' ').unwrap();
        captures.push(Capture {
            name,
            method: method.to_owned(),
            target: target.to_owned(),
            auth: capture["auth"].as_str().unwrap().to_owned(),
            status: capture["status"].as_u64().unwrap(),
            location: capture["headers"]["Location"].as_str().map(str::to_owned),
            body: capture["body"].clone(),
        });
    }
    captures.sort_by(|a, b| a.name.cmp(&b.name));
    captures
}

struct Bench {
    plane: PlaneDouble,
    client: reqwest::Client,
    token: Value,
}

impl Bench {
    async fn new(requests_per_minute: usize) -> Self {
        let clock = Arc::new(ManualClock::at(1_795_246_041));
        let options =
            PlaneOptions { auth: PlaneAuth::Stock, requests_per_minute, clock, ..PlaneOptions::default() };
        let plane = PlaneDouble::start(options).await.unwrap();
        let no_redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
        let mut bench = Self { plane, client, token: Value::Null };
        bench.token = bench.mint(json!({"label": "mcp-adapter", "description": "minted"})).await;
        bench
    }

    async fn mint(&self, wish: Value) -> Value {
        let request = self.client.post(format!("{}/api/users/api-tokens/", self.plane.url()));
        let cookie = format!("session-id={}", self.plane.session_for("alice"));
        request.header("cookie", cookie).json(&wish).send().await.unwrap().json().await.unwrap()
    }

    async fn key(&self, auth: &str) -> String {
        match auth {
            "an invalid key" => "plane_api_00000000000000000000000000000000".to_owned(),
            "alice_inactive" => {
                let key = self.plane.api_key_for("olga");
                self.plane.revoke_api_keys("olga");
                key
            }
            "alice_expired" => {
                let wish = json!({"label": "old", "expired_at": "2026-11-20T07:24:33.505586Z"});
                self.mint(wish).await["token"].as_str().unwrap().to_owned()
            }
            "alice_service" => self.plane.api_key_for("alice"),
            user => self.plane.api_key_for(user),
        }
    }

    async fn play(&self, capture: &Capture) -> (u64, Option<String>, Value) {
        let target = capture.target.replace(CAPTURED_TOKEN, self.token["id"].as_str().unwrap());
        let method = capture.method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{target}", self.plane.url()));
        if capture.auth == "session cookie" {
            request = request.header("cookie", format!("session-id={}", self.plane.session_for("alice")));
        } else if let Some(who) = capture.auth.strip_prefix("X-Api-Key (") {
            request = request.header("x-api-key", self.key(who.trim_end_matches(')')).await);
        }
        if capture.method == "POST" {
            let expires = capture.body.get("expired_at");
            request = request.json(&json!({"label": "mcp-adapter", "expired_at": expires}));
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16().into();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { json!("") } else { serde_json::from_str(&text).unwrap() };
        (status, location, body)
    }
}

/// Where `ours` has other keys or types than `theirs`; null goes with everything.
fn differences(at: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    match (theirs, ours) {
        (Value::Null, _) | (_, Value::Null) => Vec::new(),
        (Value::Object(theirs), Value::Object(ours)) => {
            let missing =
                theirs.keys().filter(|key| !ours.contains_key(*key)).map(|key| format!("{at}: no {key}"));
            let added =
                ours.keys().filter(|key| !theirs.contains_key(*key)).map(|key| format!("{at}: has {key}"));
            let shared = theirs.iter().filter_map(|(key, value)| Some((key, value, ours.get(key)?)));
            let deeper =
                shared.flat_map(|(key, theirs, ours)| differences(&format!("{at}.{key}"), theirs, ours));
            missing.chain(added).chain(deeper).collect()
        }
        (Value::Array(theirs), Value::Array(ours)) => theirs
            .iter()
            .zip(ours)
            .flat_map(|(theirs, ours)| differences(&format!("{at}[]"), theirs, ours))
            .collect(),
        (theirs, ours) if std::mem::discriminant(theirs) == std::mem::discriminant(ours) => Vec::new(),
        _ => vec![format!("{at}: another type")],
    }
}

#[tokio::test]
async fn every_capture_is_answered_with_its_status_and_body() {
    let bench = Bench::new(300).await;
    let mut wrong = Vec::new();
    let mut played = 0;
    // Deleting comes last: the other captures of the token need it.
    let (last, first): (Vec<_>, Vec<_>) = captures().into_iter().partition(|one| one.method == "DELETE");
    for capture in first.iter().chain(&last).filter(|one| !THROTTLED.contains(&one.name.as_str())) {
        let (status, location, body) = bench.play(capture).await;
        let mut found = differences("", &capture.body, &body);
        if found.is_empty() && !SHAPE_ONLY.contains(&capture.name.as_str()) && body != capture.body {
            found.push(format!("same shape, other body: {body}"));
        }
        if status != capture.status || location != capture.location {
            found.push(format!("{status} {location:?} instead of {} {:?}", capture.status, capture.location));
        }
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", capture.name)));
        played += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(played + THROTTLED.len(), 188, "captures came or went");
}

#[tokio::test]
async fn a_key_beyond_its_minute_is_answered_like_the_captures() {
    let bench = Bench::new(0).await;
    for capture in captures().iter().filter(|one| THROTTLED.contains(&one.name.as_str())) {
        let (status, _, body) = bench.play(capture).await;
        assert_eq!((status, &body), (capture.status, &capture.body), "{}", capture.name);
    }
}
