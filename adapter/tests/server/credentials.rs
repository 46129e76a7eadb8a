//! What Plane sees of a caller: exactly their own credential, one session, and no more requests than allowed.

mod minted_keys;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::canned::{ENG, Plane, Reply};
use crate::client::{Stack, call, text_of};

#[tokio::test]
async fn a_signed_in_user_is_one_session_however_many_calls() {
    let stack = Stack::start().await;
    let labels = format!("/api/v1/workspaces/acme/projects/{ENG}/labels/");
    stack.plane.answer(&labels, Reply::captured("list_labels"));
    let list = |size: u32| {
        stack.answer("list_labels", json!({"workspace_slug": "acme", "project": ENG, "per_page": size}))
    };
    futures_util::future::join_all((1..=10).map(list)).await;
    assert_eq!((stack.plane.seen().len(), stack.plane.sessions()), (10, 1));
    for seen in stack.plane.seen().iter().skip(1) {
        assert_eq!(seen.header("cookie"), Some("session-id=s1"), "foreign cookies are not kept");
    }
}

#[tokio::test]
async fn the_same_call_at_the_same_time_is_asked_with_each_users_own_token() {
    let stack = Stack::start().await;
    let call = |user: &str| {
        let body = call("list_projects", &json!({"workspace_slug": "acme"}));
        stack.result_of(stack.post(body).bearer_auth(stack.pool.id_token(user)))
    };
    let calls = (0..20).map(|number| call(if number % 2 == 0 { "alice" } else { "bob" }));
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(result["isError"], false, "{result}");
    }
    let seen = stack.plane.seen();
    for user in ["alice", "bob"] {
        let token = format!("Bearer {}", stack.pool.id_token(user));
        assert!(seen.iter().any(|seen| seen.header("authorization") == Some(&token)), "nothing for {user}");
    }
    assert_eq!(stack.plane.sessions(), 2);
}

#[tokio::test]
async fn kept_names_are_asked_for_by_each_user_and_again_after_a_minute() {
    let stack = Stack::with("workspace_slug = \"acme\"\n", Plane::of_alice()).await;
    let items = |user: &str, page: u32| {
        let body = call("list_work_items", &json!({"project": "ENG", "per_page": page}));
        stack.result_of(stack.post(body).bearer_auth(stack.pool.id_token(user)))
    };
    let asked = || {
        let seen = stack.plane.seen();
        seen.iter().filter(|seen| seen.path == "/api/v1/workspaces/acme/projects/").count()
    };
    futures_util::future::join_all([items("alice", 1), items("bob", 1), items("alice", 2), items("bob", 2)])
        .await;
    items("alice", 3).await;
    assert_eq!(asked(), 2, "one request a user");
    stack.clock.advance(std::time::Duration::from_secs(60));
    items("alice", 4).await;
    assert_eq!(asked(), 3);
}

#[tokio::test]
async fn two_users_never_share_a_session() {
    let stack = Stack::start().await;
    let request = |user: &str| {
        let body = call("list_projects", &json!({"workspace_slug": "acme"}));
        stack.post(body).bearer_auth(stack.pool.id_token(user))
    };
    for user in ["alice", "bob", "alice", "bob"] {
        stack.result_of(request(user)).await;
    }
    let cookies: Vec<_> =
        stack.plane.seen().iter().map(|seen| seen.header("cookie").map(str::to_owned)).collect();
    let session = |id: &str| Some(format!("session-id={id}"));
    assert_eq!(cookies, [None, None, session("s1"), session("s2")]);
}

#[tokio::test]
async fn a_session_that_ended_is_opened_anew_and_the_call_succeeds() {
    let stack = Stack::start().await;
    let path = "/api/users/me/workspaces/";
    let good = Reply::captured("app_list_workspaces");
    let ended = Reply::captured("app_no_session");
    stack.plane.answers(path, vec![good.clone(), ended, good]);
    stack.answer("list_workspaces", json!({})).await;
    stack.answer("list_workspaces", json!({})).await;
    assert_eq!(stack.plane.sessions(), 2);
    assert_eq!(stack.plane.seen().len(), 3);
}

#[tokio::test]
async fn plane_gets_the_id_token_or_the_key_and_never_both() {
    let stack = Stack::start().await;
    let token = stack.pool.id_token("alice");
    stack.answer("list_projects", json!({"workspace_slug": "acme"})).await;
    let keyed = stack.post(call("list_projects", &json!({}))).header("x-api-key", "plane_api_1");
    let result = stack.result_of(keyed.header("x-workspace-slug", "acme")).await;
    assert_eq!(result["isError"], false, "{result}");
    let [identity, key] = stack.plane.seen().try_into().unwrap();
    assert_eq!(identity.header("authorization"), Some(format!("Bearer {token}").as_str()));
    assert!(identity.header("x-api-key").is_none());
    assert_eq!(key.header("x-api-key"), Some("plane_api_1"));
    assert!(key.header("authorization").is_none() && key.header("cookie").is_none());
}

#[tokio::test]
async fn keys_go_to_planes_own_address_and_identities_to_the_public_one() {
    let direct = Plane::of_alice();
    let more = format!("api_url = \"{}\"\nworkspace_slug = \"acme\"\n", direct.start().await);
    let stack = Stack::with(&more, Plane::of_alice()).await;
    let keyed = stack.post(call("get_me", &json!({}))).header("x-api-key", "plane_api_1");
    assert_eq!(text_of(&stack.result_of(keyed).await)["email"], "alice@example.com");
    stack.answer("get_me", json!({})).await;
    assert_eq!((direct.seen().len(), stack.plane.seen().len()), (1, 1));
}

#[tokio::test]
async fn the_request_id_goes_on_to_plane() {
    let stack = Stack::start().await;
    let request = stack.as_alice(call("get_me", &json!({}))).header("x-request-id", "abc-123");
    stack.result_of(request).await;
    assert_eq!(stack.plane.seen()[0].header("x-request-id"), Some("abc-123"));
}

#[tokio::test]
async fn the_budget_of_one_user_is_not_the_budget_of_another() {
    let stack = Stack::with("requests_per_minute = 2\nworkspace_slug = \"acme\"\n", Plane::of_alice()).await;
    let request =
        |user: &str| stack.post(call("list_projects", &json!({}))).bearer_auth(stack.pool.id_token(user));
    for _ in 0..2 {
        assert_eq!(stack.result_of(request("alice")).await["isError"], false);
    }
    let refused = text_of(&stack.result_of(request("alice")).await);
    assert_eq!(refused["code"], "plane.rate_limited");
    assert_eq!(stack.result_of(request("bob")).await["isError"], false);
    assert_eq!(stack.plane.seen().len(), 3);
    stack.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(stack.result_of(request("alice")).await["isError"], false);
}

#[tokio::test]
async fn plane_saying_how_long_to_wait_closes_the_budget() {
    let stack = Stack::start().await;
    stack.plane.answer("/api/v1/users/me/", Reply::captured("err_429"));
    let request = || stack.post(call("get_me", &json!({}))).header("x-api-key", "plane_api_1");
    for _ in 0..2 {
        let refused = text_of(&stack.result_of(request()).await);
        assert_eq!(refused["code"], "plane.rate_limited");
        assert!(refused["recovery"]["hint"].as_str().unwrap().contains("34 seconds"), "{refused}");
    }
    assert_eq!(stack.plane.seen().len(), 1, "the second call does not reach plane");
}

#[tokio::test]
async fn what_plane_says_is_left_of_a_minute_is_believed() {
    let stack = Stack::start().await;
    let last = Reply { headers: Vec::new(), ..Reply::captured("get_me") };
    stack.plane.answer("/api/v1/users/me/", last.with_header("x-ratelimit-remaining", "0"));
    let request = || stack.post(call("get_me", &json!({}))).header("x-api-key", "plane_api_1");
    assert_eq!(stack.result_of(request()).await["isError"], false);
    assert_eq!(text_of(&stack.result_of(request()).await)["code"], "plane.rate_limited");
    assert_eq!(stack.plane.seen().len(), 1);
    stack.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(stack.result_of(request()).await["isError"], false);
}

#[tokio::test]
async fn a_short_wait_is_waited_out() {
    let stack = Stack::start().await;
    let mut busy = Reply::captured("err_429");
    busy.headers.retain(|(name, _)| name != "retry-after");
    let busy = busy.with_header("retry-after", "1");
    stack.plane.answers("/api/users/me/", vec![busy, Reply::captured("app_users_me")]);
    // The clock goes on while the wait goes on, whenever the refusal is heard.
    let (clock, plane) = (stack.clock.clone(), stack.plane.clone());
    let time = tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            if plane.seen().len() == 1 {
                clock.advance(std::time::Duration::from_secs(1));
            }
        }
    });
    assert_eq!(stack.answer("get_me", json!({})).await["display_name"], "alice");
    assert_eq!(stack.plane.seen().len(), 2, "asked again");
    time.abort();
}

#[tokio::test]
async fn answers_are_packed_on_the_way_and_measured_unpacked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let more = format!("api_url = \"http://{}\"\n", listener.local_addr().unwrap());
    let stack = Stack::with(&more, Plane::of_alice()).await;
    let server = tokio::spawn(async move {
        let me = br#"{"id":"1","email":"alice@example.com"}"#.to_vec();
        let mut asked = Vec::new();
        for body in [packed(&me), packed(&vec![b' '; 8 * 1024 * 1024 + 1])] {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = connection.read(&mut head).await.unwrap();
            asked.push(String::from_utf8(head[..read].to_vec()).unwrap());
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            connection.write_all(head.as_bytes()).await.unwrap();
            connection.write_all(&body).await.unwrap();
        }
        asked
    });
    let request = || stack.post(call("get_me", &json!({}))).header("x-api-key", "plane_api_1");
    assert_eq!(text_of(&stack.result_of(request()).await)["email"], "alice@example.com");
    let failure = text_of(&stack.result_of(request()).await);
    assert_eq!(failure["code"], "plane.unexpected", "8 MiB were 8 kB on the way: {failure}");
    assert!(server.await.unwrap().iter().all(|asked| asked.contains("accept-encoding: gzip")));
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, text).unwrap();
    packer.finish().unwrap()
}
