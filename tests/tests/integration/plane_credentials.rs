//! How the adapter signs in at Plane for its users: a session where Plane takes one, a key of the user's own where it
//! takes only keys.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use stack::client::{Era, SignedIn};
use stack::plane::{Fault, PlaneAuth, SeenRequest};
use stack::stack::Stack;

const TOKENS: &str = "/api/users/api-tokens/";

/// A Plane with the proxied identity, but without sessions on `/api/v1`.
async fn keyed() -> Stack {
    Stack::builder().plane(|plane| plane.auth = PlaneAuth::Keyed).start().await.unwrap()
}

/// Twenty calls at the same time that need `/api/v1`.
async fn twenty_calls(session: &SignedIn) {
    let calls = (1..=20).map(async |number| {
        session.tool(Era::Modern, "list_projects", &json!({ "per_page": number })).await.unwrap()
    });
    for list in join_all(calls).await {
        assert!(!list["projects"].as_array().unwrap().is_empty(), "{list}");
    }
}

fn with(stack: &Stack, method: &Method, path: &str) -> Vec<SeenRequest> {
    let requests = stack.plane.requests().into_iter();
    requests.filter(|request| request.method == *method && request.path.starts_with(path)).collect()
}

fn minted(stack: &Stack) -> usize {
    with(stack, &Method::POST, TOKENS).len()
}

/// Requests to `/api/v1` that came through the front.
fn asked_in_session(stack: &Stack) -> usize {
    with(stack, &Method::GET, "/api/v1/").iter().filter(|request| request.via_front).count()
}

#[tokio::test]
async fn plane_gets_one_session_a_user_however_many_calls() {
    for auth in [PlaneAuth::Fork, PlaneAuth::Keyed] {
        let stack = Stack::builder().plane(|plane| plane.auth = auth).start().await.unwrap();
        for (users, user) in ["alice", "bob"].into_iter().enumerate() {
            let session = stack.sign_in(user).await.unwrap();
            let list = async || session.tool(Era::Modern, "list_workspaces", &json!({})).await.unwrap();
            let me = async || session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
            for _ in 0..5 {
                tokio::join!(list(), me(), list());
            }
            twenty_calls(&session).await;
            assert_eq!(stack.plane.sessions_created(), users + 1, "{user}");
        }
    }
}

#[tokio::test]
async fn what_plane_takes_is_found_out_once_for_all_users() {
    let stack = keyed().await;
    for user in ["alice", "bob"] {
        twenty_calls(&stack.sign_in(user).await.unwrap()).await;
    }
    assert_eq!(asked_in_session(&stack), 1);
    assert_eq!(minted(&stack), 2, "one key a user");
}

#[tokio::test]
async fn where_plane_takes_sessions_nothing_is_asked_twice_and_no_key_is_made() {
    let stack = Stack::start().await.unwrap();
    twenty_calls(&stack.sign_in("alice").await.unwrap()).await;
    assert_eq!(asked_in_session(&stack), with(&stack, &Method::GET, "/api/v1/").len());
    assert_eq!(minted(&stack), 0);
}

#[tokio::test]
async fn twenty_parallel_calls_make_one_key_which_names_us_and_ends_within_hours() {
    let stack = keyed().await;
    twenty_calls(&stack.sign_in("alice").await.unwrap()).await;
    assert_eq!(minted(&stack), 1);
    let keys = keys_of(&stack, "alice").await;
    let [key] = keys.as_array().unwrap().as_slice() else { panic!("{keys}") };
    assert!(key["label"].as_str().unwrap().starts_with("mcp-edge "), "{key}");
    let moment = |name: &str| key[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let hours = moment("created_at").until(moment("expired_at")).unwrap().total(jiff::Unit::Hour).unwrap();
    assert!((7.9..=8.0).contains(&hours), "{key}");
}

#[tokio::test]
async fn no_request_to_plane_carries_a_token_and_a_key() {
    let stack = keyed().await;
    let (alice, bob) = (stack.sign_in("alice").await.unwrap(), stack.sign_in("bob").await.unwrap());
    tokio::join!(twenty_calls(&alice), twenty_calls(&bob));
    let requests = stack.plane.requests();
    assert!(requests.iter().any(|request| request.headers.contains_key("x-api-key")));
    for request in requests {
        let has = |name: &str| request.headers.contains_key(name);
        assert!(!has("authorization"), "{request:?}");
        let keyed = has("x-api-key");
        assert_eq!(keyed, !request.via_front, "{request:?}");
        assert!(!(keyed && has("cookie")), "{request:?}");
    }
    assert!(stack.plane.front_requests().iter().all(|request| !request.headers.contains_key("x-api-key")));
    assert!(!stack.logs().contains("plane_api_"));
}

#[tokio::test]
async fn users_share_neither_session_nor_key_nor_answers() {
    let stack = keyed().await;
    let users = ["alice", "bob"];
    let sessions = join_all(users.map(|user| stack.sign_in(user))).await;
    let me = sessions.iter().map(async |session| {
        let session = session.as_ref().unwrap();
        let nothing = json!({});
        let (me, ()) = tokio::join!(session.tool(Era::Modern, "get_me", &nothing), twenty_calls(session));
        me.unwrap()
    });
    for (me, user) in join_all(me).await.iter().zip(users) {
        assert_eq!(me["email"], format!("{user}@example.com"));
    }
    for header in ["x-api-key", "cookie"] {
        let shown = |user: &str| {
            let email = format!("{user}@example.com");
            let requests = stack.plane.requests().into_iter();
            let own = requests.filter(|request| request.user.as_ref() == Some(&email));
            own.filter_map(|request| request.headers.get(header).cloned())
                .map(|value| value.to_str().unwrap().to_owned())
                .collect::<BTreeSet<_>>()
        };
        let [alice, bob] = users.map(shown);
        assert_eq!((alice.len(), bob.len()), (1, 1), "{header}");
        assert!(alice.is_disjoint(&bob), "{header}");
    }
    let lists = with(&stack, &Method::GET, "/api/v1/workspaces/acme/projects/");
    let by: BTreeSet<_> = lists.iter().filter_map(|request| request.user.clone()).collect();
    assert_eq!(by.len(), 2, "each asked for the same");
}

#[tokio::test]
async fn keys_are_deleted_when_the_adapter_stops_and_others_stay() {
    let mut stack = keyed().await;
    stack.plane.api_key_for("alice");
    for user in ["alice", "bob"] {
        twenty_calls(&stack.sign_in(user).await.unwrap()).await;
    }
    assert_eq!((stack.plane.api_keys_of("alice"), stack.plane.api_keys_of("bob")), (2, 1));
    stack.adapter.program.signal("TERM").unwrap();
    assert_eq!(stack.adapter.program.process().wait_ended().await.unwrap().code(), Some(0));
    assert_eq!(
        (stack.plane.api_keys_of("alice"), stack.plane.api_keys_of("bob")),
        (1, 0),
        "alice's own key is hers"
    );
}

#[tokio::test]
async fn a_stop_waits_only_so_long_for_a_plane_that_hangs() {
    let mut stack = keyed().await;
    twenty_calls(&stack.sign_in("alice").await.unwrap()).await;
    stack.plane.fault_next(Fault::Hang);
    stack.adapter.program.signal("TERM").unwrap();
    assert_eq!(stack.adapter.program.process().wait_ended().await.unwrap().code(), Some(0));
    assert!(stack.logs().contains("not all keys could be deleted in time"), "{}", stack.logs());
}

#[tokio::test]
async fn a_key_that_plane_forgot_is_replaced_once_and_a_forbidden_thing_replaces_none() {
    let stack = keyed().await;
    let session = stack.sign_in("bob").await.unwrap();
    twenty_calls(&session).await;
    stack.plane.revoke_api_keys("bob");
    twenty_calls(&session).await;
    assert_eq!((minted(&stack), stack.plane.api_keys_of("bob")), (2, 1));
    let secret = json!({ "work_item": "SEC-1" });
    session.tool(Era::Modern, "retrieve_work_item", &secret).await.unwrap_err();
    assert_eq!(minted(&stack), 2);
}

#[tokio::test]
async fn a_user_plane_switched_off_is_refused_and_changes_nothing_for_others() {
    let stack = keyed().await;
    stack.plane.deactivate("bob");
    let bob = stack.sign_in("bob").await.unwrap();
    let failure = bob.tool(Era::Modern, "list_projects", &json!({})).await.unwrap_err();
    assert!(failure.to_string().contains("credential.rejected"), "{failure}");
    assert_eq!(minted(&stack), 0);
    twenty_calls(&stack.sign_in("alice").await.unwrap()).await;
}

/// The user's keys as Plane lists them to the user.
async fn keys_of(stack: &Stack, user: &str) -> Value {
    let cookie = format!("session-id={}", stack.plane.session_for(user));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.get(format!("{}{TOKENS}", stack.plane.url())).header("cookie", cookie);
    request.send().await.unwrap().json().await.unwrap()
}
