//! A Plane whose `/api/v1` takes only API keys: each signed-in user gets one of their own, and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use adapter::caller::{Caller, Credential, Granted, Identity, Origin};
use adapter::config::{self, Trust};
use adapter::metrics::Metrics;
use adapter::plane::path::Path;
use adapter::plane::{Memory, Plane as Client, PlaneError};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use service::{ManualClock, Secret};

use crate::canned::{Plane, Reply, Seen};
use crate::client::Stack;
use crate::pool::NOW;

const TOKENS: &str = "/api/users/api-tokens/";
const TOKEN: &str = "/api/users/api-tokens/15f12471-5b69-4986-a1d0-28514585a178/";
const KEY: &str = "plane_api_00000000000000000000000000000000";
/// A project's page, as good as any.
const THING: &str = "/api/v1/thing/";

/// Plane behind its front, which refuses sessions on `/api/v1`, and Plane itself.
struct Planes {
    front: Plane,
    direct: Plane,
    clock: ManualClock,
    client: Client,
    metrics: Metrics,
}

impl Planes {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut config::Plane)) -> Self {
        let (front, direct) = (front(), direct());
        let mut settings = config::Plane {
            base_url: front.start().await.parse().unwrap(),
            api_url: Some(direct.start().await.parse().unwrap()),
            workspace: None,
            trust: Trust::System,
            timeout: Duration::from_secs(5),
            requests_per_minute: 6000,
            keys: config::Keys { mint: true, lifetime: Duration::from_secs(8 * 3600), label: "test".into() },
        };
        change(&mut settings);
        let (clock, metrics) = (ManualClock::at(NOW), Metrics::new().unwrap());
        let memory = Arc::new(Memory::new(settings.requests_per_minute));
        let client = Client::new(Arc::new(settings), memory, Arc::new(clock.clone()), metrics.clone());
        Self { front, direct, clock, client: client.unwrap(), metrics }
    }

    async fn ask(&self, path: Path) -> Result<Value, PlaneError> {
        self.client.ask(&alice(), path).await
    }

    async fn ask_thing(&self) -> Result<Value, PlaneError> {
        self.ask(Path::v1("thing/")).await
    }

    fn minted(&self) -> usize {
        count(&self.front, &Method::POST, TOKENS)
    }

    fn revoked(&self) -> usize {
        count(&self.front, &Method::DELETE, TOKEN)
    }

    /// What the metrics say of an event.
    fn counted(&self, event: &str) -> u32 {
        let text =
            prometheus::TextEncoder::new().encode_to_string(&self.metrics.registry().gather()).unwrap();
        let line = format!("adapter_plane_keys_total{{event=\"{event}\"}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
    }
}

fn front() -> Plane {
    let front = Plane::of_alice();
    front.answer(THING, Reply::captured("v1_with_session_only"));
    front.answer(TOKENS, Reply::captured("app_api_tokens_create_expiring"));
    front.answer(TOKEN, Reply { status: 204, headers: vec![], body: String::new() });
    front
}

fn direct() -> Plane {
    let direct = Plane::of_alice();
    direct.answer(THING, Reply::json(200, &json!("thing")));
    direct
}

fn alice() -> Caller {
    let identity = Identity {
        issuer: "https://issuer.example".into(),
        subject: "sub-of-alice".into(),
        username: "alice".into(),
        email: None,
        id_token: Secret::new("token-of-alice"),
        expires: NOW + 3600,
    };
    Caller {
        credential: Credential::Identity(identity),
        workspace: None,
        origin: Origin::default(),
        granted: Granted::default(),
    }
}

fn count(plane: &Plane, method: &Method, path: &str) -> usize {
    plane.seen().iter().filter(|seen| seen.method == *method && seen.path == path).count()
}

#[tokio::test]
async fn twenty_parallel_requests_find_out_once_and_make_one_key() {
    let planes = Planes::start().await;
    for number in 0..20 {
        let path = format!("{THING}{number}/");
        planes.front.answer(&path, Reply::captured("v1_with_session_only"));
        planes.direct.answer(&path, Reply::json(200, &json!(number)));
    }
    let things = (0..20).map(|number| planes.ask(Path::v1("thing/").part(&number.to_string())));
    for (number, answer) in join_all(things).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number);
    }
    let refused = planes.front.seen().iter().filter(|seen| seen.path.starts_with(THING)).count();
    assert_eq!((refused, planes.minted()), (1, 1));
    assert_eq!(planes.front.sessions(), 1);
    assert_eq!(planes.direct.seen().len(), 21, "the check of the key, and what was asked for");
}

#[tokio::test]
async fn plane_itself_sees_the_key_alone_and_the_front_never_sees_it() {
    let planes = Planes::start().await;
    planes.ask_thing().await.unwrap();
    for seen in planes.direct.seen() {
        assert_eq!(seen.header("x-api-key"), Some(KEY));
        assert!(seen.header("authorization").is_none() && seen.header("cookie").is_none());
    }
    for seen in planes.front.seen() {
        assert_eq!(seen.header("authorization"), Some("Bearer token-of-alice"));
        assert!(seen.header("x-api-key").is_none());
    }
}

#[tokio::test]
async fn the_key_of_another_user_is_deleted_and_never_used() {
    let planes = Planes::start().await;
    let bob = json!({"id": "b0b", "email": "bob@example.com"});
    planes.direct.answer("/api/v1/users/me/", Reply::json(200, &bob));
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::WrongUser)));
    assert_eq!((planes.minted(), planes.revoked()), (1, 1));
    assert_eq!(count(&planes.direct, &Method::GET, THING), 0);
}

#[tokio::test]
async fn no_key_is_made_in_somebody_elses_session() {
    let planes = Planes::start().await;
    let mut reply = Reply::captured("app_users_me");
    reply.body = reply.body.replace("alice@example.com", "bob@example.com");
    planes.front.answer("/api/users/me/", reply);
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::WrongUser)));
    assert_eq!(planes.minted(), 0);
}

#[tokio::test]
async fn a_refused_key_is_replaced_once_and_only_for_the_exact_refusal() {
    let planes = Planes::start().await;
    planes.ask_thing().await.unwrap();
    let (bad_key, good) = (Reply::captured("err_invalid_key"), Reply::json(200, &json!("thing")));
    planes.direct.answers(THING, vec![bad_key.clone(), good]);
    assert_eq!(planes.ask_thing().await.unwrap(), "thing");
    assert_eq!(planes.minted(), 2);

    for forbidden in [
        Reply::captured("err_unknown_workspace"),
        Reply::json(403, &json!({"detail": "Given API token is not valid for this workspace"})),
        Reply::json(403, &json!({"error": "Given API token is not valid?"})),
    ] {
        planes.direct.answer(THING, forbidden);
        assert!(matches!(planes.ask_thing().await, Err(PlaneError::Forbidden)));
    }
    assert_eq!(planes.minted(), 2);

    planes.direct.answer(THING, bad_key);
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::KeyRefused)));
    assert_eq!(planes.minted(), 3, "once");
}

#[tokio::test]
async fn a_plane_that_gives_no_key_is_told_apart_from_one_that_is_down() {
    let planes = Planes::start().await;
    planes.front.answer(TOKENS, Reply::json(403, &json!({"detail": "no"})));
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::MintingRefused(_))));
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::MintingRefused(_))));
    assert_eq!(planes.minted(), 1, "the failure is told to all who come in the next seconds");
    planes.clock.advance(Duration::from_secs(5));
    planes.front.answer(TOKENS, Reply { status: 502, headers: vec![], body: "<html>".into() });
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::Unavailable(_))));
    planes.clock.advance(Duration::from_secs(5));
    planes.front.answer(TOKENS, Reply::captured("app_api_tokens_create_expiring"));
    planes.ask_thing().await.unwrap();
    assert_eq!(planes.minted(), 3);
}

#[tokio::test]
async fn without_planes_own_address_or_when_switched_off_no_key_is_made() {
    let nowhere: fn(&mut config::Plane) = |settings| settings.api_url = None;
    for change in [nowhere, |settings| settings.keys.mint = false] {
        let planes = Planes::with(change).await;
        assert!(matches!(planes.ask_thing().await, Err(PlaneError::KeysNeeded)));
        assert_eq!(planes.minted(), 0);
        assert!(planes.front.seen().iter().all(|seen| seen.header("x-api-key").is_none()));
    }
}

#[tokio::test]
async fn a_user_plane_does_not_know_says_nothing_about_sessions() {
    let planes = Planes::start().await;
    planes.front.answer("/api/users/me/", Reply::captured("app_no_session"));
    assert!(matches!(planes.ask_thing().await, Err(PlaneError::NotSignedIn)));
    planes.front.answer(THING, Reply::json(200, &json!("in session")));
    assert_eq!(planes.ask_thing().await.unwrap(), "in session");
    assert_eq!(planes.minted(), 0);
}

#[tokio::test]
async fn a_session_that_ended_is_not_taken_for_a_plane_without_sessions() {
    let planes = Planes::start().await;
    let (thing, refused) = (Reply::json(200, &json!("in session")), Reply::captured("v1_with_session_only"));
    planes.front.answers(THING, vec![thing.clone(), refused, thing]);
    let (ended, me) = (Reply::captured("app_no_session"), Reply::captured("app_users_me"));
    planes.front.answers("/api/users/me/", vec![ended, me]);
    for _ in 0..2 {
        assert_eq!(planes.ask_thing().await.unwrap(), "in session");
    }
    assert_eq!((planes.front.sessions(), planes.minted()), (2, 0));
}

#[tokio::test]
async fn a_plane_that_learns_to_take_sessions_is_noticed_within_the_hour() {
    let planes = Planes::start().await;
    planes.ask_thing().await.unwrap();
    planes.front.answer(THING, Reply::json(200, &json!("in session")));
    planes.clock.advance(Duration::from_secs(3599));
    assert_eq!(planes.ask_thing().await.unwrap(), "thing");
    planes.clock.advance(Duration::from_secs(1));
    assert_eq!(planes.ask_thing().await.unwrap(), "in session");
}

#[tokio::test]
async fn a_key_is_counted_when_it_comes_and_when_it_goes() {
    let planes = Planes::start().await;
    planes.ask_thing().await.unwrap();
    planes.client.close_keys().await;
    assert_eq!(planes.revoked(), 1);
    assert_eq!([planes.counted("minted"), planes.counted("revoked")], [1, 1]);
    assert!(planes.ask_thing().await.is_err(), "none is made at the end");
    assert_eq!(planes.minted(), 1);
}

#[tokio::test]
async fn deleting_a_key_is_tried_twice() {
    let planes = Planes::start().await;
    planes.ask_thing().await.unwrap();
    let away = Reply { status: 502, headers: vec![], body: "<html>".into() };
    planes.front.answers(TOKEN, vec![away, Reply { status: 204, headers: vec![], body: String::new() }]);
    planes.client.close_keys().await;
    assert_eq!(planes.revoked(), 2);
    assert_eq!([planes.counted("revoked"), planes.counted("not_revoked")], [1, 0]);
}

#[tokio::test]
async fn a_key_that_a_hung_plane_does_not_delete_in_time_is_counted_as_left_behind() {
    let planes = Planes::with(|settings| settings.timeout = Duration::from_secs(60)).await;
    planes.ask_thing().await.unwrap();
    planes.front.answer(TOKEN, Reply::never());
    planes.client.close_keys().await;
    assert_eq!(planes.revoked(), 1, "it was asked");
    assert_eq!([planes.counted("revoked"), planes.counted("not_revoked")], [0, 1]);
}

#[tokio::test]
async fn a_key_that_is_still_being_made_at_the_end_is_counted_as_left_behind() {
    let planes = Planes::with(|settings| settings.timeout = Duration::from_secs(60)).await;
    planes.front.answer(TOKENS, Reply::never());
    let alice = alice();
    let asking = planes.client.ask::<Value>(&alice, Path::v1("thing/"));
    let ending = async {
        while planes.minted() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        planes.client.close_keys().await;
    };
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        () = ending => assert_eq!(planes.counted("not_revoked"), 1),
    }
}

/// The whole adapter in front of such a Plane.
async fn stack() -> (Stack, Plane) {
    let (front, direct) = (front(), direct());
    let projects = "/api/v1/workspaces/acme/projects/";
    front.answer(projects, Reply::captured("v1_with_session_only"));
    let more = format!("api_url = \"{}\"\nworkspace_slug = \"acme\"\n", direct.start().await);
    let stack = Stack::with(&more, front).await;
    stack.answer("list_projects", json!({})).await;
    (stack, direct)
}

/// Waits for the request that deletes the key.
async fn deleted(stack: &Stack) -> Seen {
    tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let seen = stack.plane.seen();
            if let Some(seen) = seen.into_iter().find(|seen| seen.method == Method::DELETE) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_key_is_deleted_when_the_sign_in_ends_with_the_last_of_its_token() {
    let (stack, _direct) = stack().await;
    stack.clock.advance(Duration::from_secs(3600 - 60));
    let seen = deleted(&stack).await;
    assert_eq!(seen.path, TOKEN);
    assert!(seen.header("authorization").is_some() && seen.header("x-api-key").is_none());
}

#[tokio::test]
async fn a_key_nobody_uses_is_deleted() {
    let (stack, direct) = stack().await;
    stack.clock.advance(Duration::from_secs(1800));
    deleted(&stack).await;
    let checks = count(&direct, &Method::GET, "/api/v1/users/me/");
    stack.answer("list_projects", json!({})).await;
    assert_eq!(count(&direct, &Method::GET, "/api/v1/users/me/"), checks + 1, "coming back costs a new one");
}

#[tokio::test]
async fn a_model_is_told_who_can_help_when_no_key_can_be_made() {
    let front = front();
    front.answer("/api/v1/workspaces/acme/projects/", Reply::captured("v1_with_session_only"));
    let stack = Stack::with("workspace_slug = \"acme\"\n", front).await;
    let failure = stack.failure("list_projects", json!({})).await;
    assert_eq!(failure["code"], "credential.unsupported");
    assert!(failure["recovery"]["hint"].as_str().unwrap().contains("plane.api_url"), "{failure}");
}
