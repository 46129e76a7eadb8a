//! Bearers that are not ours by birth: Cognito's own access tokens, where they are taken; and what becomes of bearers
//! everywhere once a session is given back.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::{
    client::{Answer, McpClient, SignedIn},
    cognito::{Fault, Faults, Forgery, Host, TokenKind},
    scratch::Scratch,
    stack::{Builder, Stack, Store},
};

/// The claims of a token.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The one `Authorization` the upstream got last.
fn forwarded(stack: &Stack) -> String {
    let seen = stack.echo.last().unwrap();
    let [only] = seen.values("authorization")[..] else { panic!("not one token: {:?}", seen.headers) };
    only.strip_prefix("Bearer ").unwrap().to_owned()
}

/// A stack that takes Cognito's access tokens, and alice's sign-in at `/echo-mcp` with its `origin_jti`.
async fn taking(change: impl FnOnce(Builder) -> Builder) -> (Stack, SignedIn, String) {
    let builder = Stack::builder().echo_routes().proxy_setting("cognito.accept_access_tokens", true);
    let stack = change(builder).start().await.unwrap();
    let session = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    session.client.probe(&session.tokens.access).await.unwrap().expect_status(200).unwrap();
    let origin = claims(&forwarded(&stack))["origin_jti"].as_str().unwrap().to_owned();
    (stack, session, origin)
}

/// An access token of Cognito for alice, of the sign-in with that `origin_jti`.
fn of_sign_in(stack: &Stack, origin: &str, changes: Value) -> String {
    let mut changes = changes;
    let all = changes.as_object_mut().unwrap();
    all.entry("origin_jti").or_insert_with(|| json!(origin));
    stack.cognito.mint_access_token("alice", &changes).unwrap()
}

async fn ask(client: &McpClient, bearer: &str) -> Answer {
    client.probe(bearer).await.unwrap()
}

#[tokio::test]
async fn cognitos_access_tokens_are_no_bearers_unless_they_are_switched_on() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo-mcp", "alice").await.unwrap();
    ask(&session.client, &session.tokens.access).await.expect_status(200).unwrap();
    let id_token = forwarded(&stack);
    let origin = claims(&id_token)["origin_jti"].as_str().unwrap().to_owned();
    let reached = stack.echo.seen().len();
    for bearer in [of_sign_in(&stack, &origin, json!({})), id_token] {
        let refused = ask(&session.client, &bearer).await;
        assert_eq!((refused.status, refused.challenge("error").as_deref()), (401, Some("invalid_token")));
    }
    assert_eq!(stack.echo.seen().len(), reached);
}

#[tokio::test]
async fn a_cognito_access_token_acts_as_its_user_and_is_never_forwarded() {
    let (stack, session, origin) = taking(|builder| {
        builder.proxy_setting("cognito.additional_client_ids", vec![toml::Value::from("7another0client")])
    })
    .await;
    let resource = session.client.endpoint().as_str();
    for changes in [
        json!({}),
        json!({ "aud": resource }),
        json!({ "aud": format!("{resource}/") }),
        json!({ "client_id": "7another0client" }),
    ] {
        let bearer = of_sign_in(&stack, &origin, changes.clone());
        ask(&session.client, &bearer).await.expect_status(200).unwrap();
        let sent = claims(&forwarded(&stack));
        assert_eq!((&sent["token_use"], &sent["cognito:username"]), (&json!("id"), &json!("alice")));
        let seen = stack.echo.last().unwrap();
        assert!(seen.headers.iter().all(|(_, value)| !value.contains(&bearer)), "{changes}");
    }
}

#[tokio::test]
async fn what_is_not_an_access_token_of_the_sessions_own_user_and_route_is_refused() {
    let (stack, session, origin) = taking(|builder| builder).await;
    let reached = stack.echo.seen().len();
    let cognito = &stack.cognito;
    let of = |changes: Value| of_sign_in(&stack, &origin, changes);
    let forged = |forgery| {
        cognito.forge(TokenKind::Access, "alice", &json!({ "origin_jti": origin }), &forgery).unwrap()
    };
    let refused = [
        ("an id token", cognito.mint_id_token("alice", &json!({ "origin_jti": origin })).unwrap()),
        ("another client", of(json!({ "client_id": "7another0client" }))),
        (
            "another issuer",
            of(json!({ "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other" })),
        ),
        ("for our app client as its audience", of(json!({ "aud": cognito.client_id }))),
        ("for another route", of(json!({ "aud": format!("{}/mcp", stack.origin()) }))),
        (
            "for two routes",
            of(json!({ "aud": [session.client.endpoint().as_str(), "https://other.example"] })),
        ),
        ("another sign-in", of(json!({ "origin_jti": "00000000-0000-4000-8000-000000000000" }))),
        ("no sign-in", of(json!({ "origin_jti": null }))),
        ("another user", cognito.mint_access_token("bob", &json!({ "origin_jti": origin })).unwrap()),
        ("another subject", of(json!({ "sub": "00000000-0000-4000-8000-000000000000" }))),
        ("expired", of(json!({ "exp": 1_600_000_000 }))),
        ("a machine's", of(json!({ "username": null }))),
        ("signed by a stranger", forged(Forgery::StrangersKey)),
        ("unsigned", forged(Forgery::AlgNone)),
        ("signed with the public key", forged(Forgery::HmacOverPublicKey)),
    ];
    for (what, bearer) in refused {
        let answer = ask(&session.client, &bearer).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        assert_eq!(answer.challenge("error").as_deref(), Some("invalid_token"), "{what}");
    }
    let elsewhere = stack.client("/mcp").unwrap();
    let answer = ask(&elsewhere, &of(json!({}))).await;
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", stack.origin());
    assert_eq!((answer.status, answer.challenge("resource_metadata")), (401, Some(metadata)));
    assert_eq!(stack.echo.seen().len(), reached, "none of it reached the upstream");
    ask(&session.client, &of(json!({}))).await.expect_status(200).unwrap();
}

#[tokio::test]
async fn a_cognito_access_token_without_its_key_is_503_and_ends_with_the_session() {
    let (stack, session, origin) = taking(|builder| builder).await;
    let good = of_sign_in(&stack, &origin, json!({}));
    stack.cognito.rotate_keys().unwrap();
    let down = Some(Fault::Status(503, String::new()));
    stack.cognito.set_faults(Faults { jwks: down, ..Faults::default() });
    let newer = ask(&session.client, &of_sign_in(&stack, &origin, json!({}))).await;
    assert_eq!((newer.status, newer.header("retry-after").is_empty()), (503, false), "{}", newer.text);
    assert_eq!(ask(&session.client, &good).await.status, 200, "its key is known");
    session.revoke().await.unwrap().expect_status(200).unwrap();
    let over = ask(&session.client, &good).await;
    assert_eq!((over.status, over.challenge("error").as_deref()), (401, Some("invalid_token")));
}

#[tokio::test]
async fn matched_by_sub_every_user_acts_as_himself_and_who_never_signed_in_as_nobody() {
    let (stack, alice, _) = taking(|builder| builder.proxy_setting("cognito.match_by_sub", true)).await;
    let own = |user: &str| stack.cognito.sign_in(user, None).unwrap().access_token;
    let (of_alice, of_bob) = (own("alice"), own("bob"));
    assert_eq!(ask(&alice.client, &of_bob).await.status, 401, "bob has no session here");
    let bob = stack.sign_in_at("/echo-mcp", "bob").await.unwrap();
    for (bearer, user) in [(&of_alice, "alice"), (&of_bob, "bob"), (&of_alice, "alice")] {
        ask(&bob.client, bearer).await.expect_status(200).unwrap();
        assert_eq!(claims(&forwarded(&stack))["cognito:username"], user);
    }
}

#[tokio::test]
async fn both_bearers_of_a_session_share_its_rate() {
    let (stack, session, origin) =
        taking(|builder| builder.proxy_setting("limits.requests_per_minute", 4)).await;
    // The session's one request at once is spent; the next is due in a quarter of a minute.
    let started = Instant::now();
    let answer = ask(&session.client, &of_sign_in(&stack, &origin, json!({}))).await;
    assert!(answer.status == 429 || started.elapsed() > Duration::from_secs(10), "{}", answer.text);
}

/// The `resource` of the authorization request that Cognito got last.
fn asked_of_cognito(stack: &Stack) -> Option<String> {
    let asked = stack.cognito.requests_to(Host::Domain, "/oauth2/authorize");
    asked.last().unwrap().query_value("resource").map(str::to_owned)
}

#[tokio::test]
async fn cognito_is_told_the_route_only_where_it_is_to_be_forwarded() {
    let (stack, session, _) = taking(|builder| builder).await;
    assert_eq!(asked_of_cognito(&stack), None);
    drop((stack, session));

    let (stack, session, origin) =
        taking(|builder| builder.proxy_setting("cognito.forward_resource", true)).await;
    let resource = session.client.endpoint().to_string();
    assert_eq!(asked_of_cognito(&stack).as_ref(), Some(&resource));
    ask(&session.client, &of_sign_in(&stack, &origin, json!({ "aud": resource })))
        .await
        .expect_status(200)
        .unwrap();
}

#[tokio::test]
async fn a_resource_is_taken_with_and_without_its_slash_and_a_token_is_good_at_one_route() {
    let stack = Stack::builder().echo_routes().start().await.unwrap();
    let (client, other) = (stack.client("/echo-mcp").unwrap(), stack.client("/mcp").unwrap());
    let found = client.discover().await.unwrap();
    let id = client.register_publicly(&found).await.unwrap();
    for slash in ["", "/"] {
        let mut asked = client.authorization(&found, &id).unwrap();
        let resource = format!("{}{slash}", client.endpoint());
        let query: Vec<(String, String)> = asked
            .url
            .query_pairs()
            .filter(|(name, _)| name != "resource")
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        asked.url.query_pairs_mut().clear().extend_pairs(query).append_pair("resource", &resource);
        let back = stack.browser().unwrap().sign_in(&asked.url, &stack.person("alice")).await.unwrap();
        let tokens = client.redeem(&found, &id, &asked, &back).await.unwrap();
        assert_eq!(claims(&tokens.access)["aud"], client.endpoint().as_str());
        assert_eq!(ask(&client, &tokens.access).await.status, 200);
        assert_eq!(ask(&other, &tokens.access).await.status, 401);
        let form = |resource| {
            [
                ("grant_type", "refresh_token"),
                ("refresh_token", tokens.refresh.as_str()),
                ("client_id", &id),
                ("resource", resource),
            ]
        };
        let refused = client.token(&found, &form(other.endpoint().as_str())).await.unwrap();
        assert_eq!((refused.status, &refused.json["error"]), (400, &json!("invalid_target")));
        client.token(&found, &form(&resource)).await.unwrap().expect_status(200).unwrap();
    }
}

#[tokio::test]
async fn a_session_given_back_is_over_at_every_replica_within_a_second() {
    let scratch = Scratch::new("bearers").unwrap();
    let secret = "introspection-secret-of-thirty-two-characters";
    let file = scratch.write("introspection", secret).unwrap();
    let stack = Stack::builder()
        .store(Store::Valkey)
        .proxies(2)
        .proxy_setting("vault.cache_seconds", 60)
        .proxy_setting("oauth.introspection_secret_file", file.display().to_string())
        .proxy_setting("limits.oauth_requests_per_minute", 60)
        .start()
        .await
        .unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let elsewhere = session.client.through(&stack.proxies[1].origin).unwrap();
    let url = session.discovery.endpoint("introspection_endpoint").unwrap();
    let introspect = async |token: &str| {
        let request = elsewhere.request("POST", &url).unwrap().basic_auth("introspection", Some(secret));
        elsewhere.send(request.form(&[("token", token)])).await.unwrap().expect_status(200).unwrap().json
    };
    for client in [&session.client, &elsewhere] {
        assert_eq!(ask(client, &session.tokens.access).await.status, 200);
    }
    // More often than an address may ask that shows no secret.
    for _ in 0..40 {
        assert_eq!(introspect(&session.tokens.access).await["username"], "alice");
    }

    session.revoke().await.unwrap().expect_status(200).unwrap();
    let revoked = Instant::now();
    for token in [&session.tokens.access, &session.tokens.refresh] {
        assert_eq!(introspect(token).await, json!({ "active": false }));
    }
    loop {
        let sent = revoked.elapsed();
        let answer = ask(&elsewhere, &session.tokens.access).await;
        if answer.status == 401 {
            break;
        }
        assert!(sent < Duration::from_secs(1), "still accepted {sent:?} later: {}", answer.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = Instant::now();
    while stack.cognito.requests_to(Host::Domain, "/oauth2/revoke").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was revoked at cognito");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [asked] = &stack.cognito.requests_to(Host::Domain, "/oauth2/revoke")[..] else {
        panic!("revoked twice")
    };
    let [(name, token)] = &asked.form[..] else { panic!("more than a token: {:?}", asked.form) };
    assert_eq!(
        (name.as_str(), token.split('.').count()),
        ("token", 5),
        "cognito's refresh tokens have five parts"
    );
    assert!(asked.query.is_empty() && !session.client.secrets().contains(token));
    let ours = format!("{}:{}", stack.cognito.client_id, stack.cognito.client_secret.as_ref().unwrap());
    let ours = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(ours));
    assert_eq!(asked.authorization_header.as_ref(), Some(&ours));
}
