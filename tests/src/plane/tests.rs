//! What a single capture cannot show: sign-in by header, sessions, rate limit, keys, faults and the log.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use serde_json::{Value, json};
use service::ManualClock;

use super::{Fault, PlaneAuth, PlaneDouble, PlaneOptions, Role};

const NOW: u64 = 1_795_246_041;
const ME: &str = "/api/v1/users/me/";
const PROJECTS: &str = "/api/v1/workspaces/acme/projects/";

async fn plane(auth: PlaneAuth) -> (PlaneDouble, ManualClock) {
    let clock = ManualClock::at(NOW);
    let options = PlaneOptions { auth, clock: Arc::new(clock.clone()), ..PlaneOptions::default() };
    (PlaneDouble::start(options).await.unwrap(), clock)
}

async fn get(plane: &PlaneDouble, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("{}{path}", plane.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn email(response: Response) -> String {
    assert_eq!(response.status(), StatusCode::OK);
    response.json::<Value>().await.unwrap()["email"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn asserted_user_is_signed_in_on_the_fork_only() {
    let (fork, _) = plane(PlaneAuth::Fork).await;
    let asserted = [("x-auth-request-email", "Alice")];
    assert_eq!(email(get(&fork, ME, &asserted).await).await, "alice@example.com");
    assert_eq!(email(get(&fork, "/api/users/me/", &asserted).await).await, "alice@example.com");
    let (stock, _) = plane(PlaneAuth::Stock).await;
    assert_eq!(get(&stock, ME, &asserted).await.status(), 401);
    assert_eq!(get(&stock, "/api/users/me/", &asserted).await.status(), 401);
}

#[tokio::test]
async fn keyed_plane_signs_asserted_users_in_on_the_app_api_and_takes_only_keys_on_v1() {
    let (plane, _) = plane(PlaneAuth::Keyed).await;
    let asserted = [("x-auth-request-email", "alice")];
    let first = get(&plane, "/api/users/me/", &asserted).await;
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(email(first).await, "alice@example.com");
    let refused = get(&plane, ME, &[("x-auth-request-email", "alice"), ("cookie", cookie.as_str())]).await;
    assert_eq!(refused.status(), 401);
    let detail = json!({"detail": "Authentication credentials were not provided."});
    assert_eq!(refused.json::<Value>().await.unwrap(), detail);
    let key = plane.api_key_for("alice");
    assert_eq!(email(get(&plane, ME, &[("x-api-key", &key)]).await).await, "alice@example.com");
    assert_eq!(plane.sessions_created(), 1);
}

#[tokio::test]
async fn a_session_row_is_inserted_for_each_request_without_its_cookie() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let first = get(&plane, ME, &[("x-auth-request-email", "alice")]).await;
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(plane.sessions_created(), 1);
    let alice = [("x-auth-request-email", "alice"), ("cookie", cookie.as_str())];
    assert!(get(&plane, ME, &alice).await.headers().get("set-cookie").is_none());
    assert_eq!(plane.sessions_created(), 1);
    let bob = [("x-auth-request-email", "bob"), ("cookie", cookie.as_str())];
    assert_eq!(email(get(&plane, ME, &bob).await).await, "bob@example.com");
    assert_eq!(plane.sessions_created(), 2);
    assert_eq!(get(&plane, ME, &[("cookie", cookie.as_str())]).await.status(), 401, "bob's sign-in ended it");
}

#[tokio::test]
async fn unknown_asserted_user_becomes_a_member_of_acme_without_projects() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let jane = [("x-auth-request-email", ""), ("x-auth-request-user", "jane")];
    let workspaces: Value = get(&plane, "/api/users/me/workspaces/", &jane).await.json().await.unwrap();
    assert_eq!((&workspaces[0]["slug"], &workspaces[0]["role"]), (&json!("acme"), &json!(15)));
    let projects: Value = get(&plane, PROJECTS, &jane).await.json().await.unwrap();
    assert_eq!(projects["total_count"], 2);
    assert_eq!(projects["results"][0]["is_member"], false);
    assert!(plane.join_project("jane", "ENG", Role::Member));
    let projects: Value = get(&plane, PROJECTS, &jane).await.json().await.unwrap();
    assert_eq!(projects["results"][0]["is_member"], true);
    assert_eq!(plane.users_seen(), ["jane@example.com"]);
}

#[tokio::test]
async fn identity_header_counts_under_every_spelling() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    assert_eq!(email(get(&plane, ME, &[("x_auth_request_email", "bob")]).await).await, "bob@example.com");
    let both = [("x-auth-request-email", "alice"), ("x_auth_request_email", "bob")];
    assert_eq!(email(get(&plane, ME, &both).await).await, "alice,bob@example.com");
}

#[tokio::test]
async fn deactivated_user_is_not_signed_in() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let key = plane.api_key_for("bob");
    plane.deactivate("bob");
    assert_eq!(get(&plane, ME, &[("x-auth-request-email", "bob")]).await.status(), 401);
    assert_eq!(get(&plane, ME, &[("x-api-key", &key)]).await.status(), 403);
}

#[tokio::test]
async fn key_wins_over_the_asserted_identity_and_a_bad_key_fails_closed() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let key = plane.api_key_for("bob");
    let mixed = [("x-auth-request-email", "alice"), ("x-api-key", key.as_str())];
    assert_eq!(email(get(&plane, ME, &mixed).await).await, "bob@example.com");
    plane.revoke_api_keys("bob");
    let refused = get(&plane, ME, &mixed).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap(), json!({"detail": "Given API token is not valid"}));
}

#[tokio::test]
async fn minted_key_works_until_it_expires() {
    let (plane, clock) = plane(PlaneAuth::Stock).await;
    let cookie = format!("session-id={}", plane.session_for("alice"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let minting = client.post(format!("{}/api/users/api-tokens/", plane.url())).header("cookie", cookie);
    let wish = json!({"label": "edge", "expired_at": "2026-11-21T08:00:00Z"});
    let minted = minting.json(&wish).send().await.unwrap();
    assert_eq!(minted.status(), StatusCode::CREATED);
    let token = minted.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    assert_eq!(email(get(&plane, ME, &[("x-api-key", &token)]).await).await, "alice@example.com");
    assert_eq!(plane.api_keys_of("alice"), 1);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(get(&plane, ME, &[("x-api-key", &token)]).await.status(), 403);
}

#[tokio::test]
async fn rate_limit_is_a_sliding_minute_of_the_key_and_not_of_sessions() {
    let (plane, clock) = plane(PlaneAuth::Fork).await;
    let key = plane.api_key_for("alice");
    let key = [("x-api-key", key.as_str())];
    let first = get(&plane, ME, &key).await;
    assert_eq!(first.headers()["x-ratelimit-remaining"], "59");
    assert_eq!(first.headers()["x-ratelimit-reset"], (NOW + 60).to_string());
    clock.advance(Duration::from_secs(20));
    for _ in 0..59 {
        assert_eq!(get(&plane, PROJECTS, &key).await.status(), 200);
    }
    let refused = get(&plane, ME, &key).await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"40".parse().unwrap())
    );
    assert!(refused.headers().get("x-ratelimit-remaining").is_none());
    let session = get(&plane, ME, &[("x-auth-request-email", "alice")]).await;
    assert!(session.headers().get("x-ratelimit-remaining").is_none());
    clock.advance(Duration::from_secs(40));
    assert_eq!(get(&plane, ME, &key).await.status(), 200);
}

#[tokio::test]
async fn faults_are_played_once_each_in_order() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let alice = [("x-auth-request-email", "alice")];
    plane.fail_next(1, 502);
    plane.fault_next(Fault::Delay(Duration::from_millis(1)));
    let page = get(&plane, ME, &alice).await;
    assert_eq!(
        (page.status(), &page.headers()["content-type"]),
        (StatusCode::BAD_GATEWAY, &"text/html".parse().unwrap())
    );
    assert_eq!(get(&plane, ME, &alice).await.status(), 200);
    plane.fault_next(Fault::Disconnect);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client.get(format!("{}{ME}", plane.url())).send().await.is_err());
    plane.fault_next(Fault::Hang);
    let hanging = client.get(format!("{}{ME}", plane.url())).timeout(Duration::from_millis(50));
    assert!(hanging.send().await.unwrap_err().is_timeout());
    assert_eq!(plane.requests().len(), 4);
}

#[tokio::test]
async fn log_holds_every_header_and_reset_empties_it() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let key = plane.api_key_for("alice");
    get(&plane, "/api/v1/users/me/?a=b", &[("authorization", "Bearer x"), ("x-api-key", &key)]).await;
    let requests = plane.requests();
    let [seen] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((seen.path.as_str(), seen.query.as_str(), seen.via_front), (ME, "a=b", false));
    assert_eq!(seen.headers["authorization"], "Bearer x");
    assert_eq!(seen.user.as_deref(), Some("alice@example.com"));
    plane.reset();
    assert!(plane.requests().is_empty());
    assert_eq!(get(&plane, ME, &[("x-api-key", &key)]).await.status(), 200, "keys outlive a reset");
}

#[tokio::test]
async fn dropped_double_stops_listening() {
    let (plane, _) = plane(PlaneAuth::Fork).await;
    let url = plane.url();
    drop(plane);
    tokio::task::yield_now().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client.get(url).send().await.unwrap_err().is_connect());
}

#[test]
fn moments_are_calendar_days() {
    assert_eq!(super::world::moment(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(super::world::moment(951_782_400), "2000-02-29T00:00:00.000000Z");
    assert_eq!(super::world::moment(NOW), "2026-11-21T07:27:21.000000Z");
}
