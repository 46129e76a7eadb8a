use http::{Response, StatusCode};

use super::answers::assert_error;
use super::world::{Jar, World};

async fn revoke(world: &World, client: &str, token: &str) -> Response<bytes::Bytes> {
    let hint = ("token_type_hint", "access_token");
    world.post("/revoke", &Jar::default(), &[("client_id", client), ("token", token), hint]).await
}

#[tokio::test]
async fn giving_back_either_token_ends_the_session() {
    for which in ["access", "refresh"] {
        let world = World::new();
        let signed_in = world.signed_in().await;
        let sid = world.tokens.verify(&signed_in.access).unwrap().sid;
        let token = if which == "access" { &signed_in.access } else { &signed_in.refresh };
        let answer = revoke(&world, &signed_in.client, token).await;
        assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, 0), "{which}");
        assert!(world.vault.open(&sid).await.is_err());
        let refreshed = world.refresh(&signed_in.client, &signed_in.refresh, &[]).await;
        assert_error(&refreshed, 400, "invalid_grant", "refresh_token_unknown");
        tokio::task::yield_now().await;
        assert_eq!(*world.cognito.revoked.lock().unwrap(), ["cognito-refresh-token:alice"]);
    }
}

#[tokio::test]
async fn unknown_and_foreign_tokens_are_answered_alike_and_left_alone() {
    let world = World::new();
    let signed_in = world.signed_in().await;
    let other = world.register().await;
    for token in [signed_in.access.as_str(), signed_in.refresh.as_str(), "garbage"] {
        assert_eq!(revoke(&world, &other, token).await.status(), StatusCode::OK);
    }
    assert_eq!(revoke(&world, &signed_in.client, "garbage").await.status(), StatusCode::OK);
    assert_eq!(world.refresh(&signed_in.client, &signed_in.refresh, &[]).await.status(), StatusCode::OK);
    assert_error(&revoke(&world, "mcp-gone", "x").await, 401, "invalid_client", "client_unknown");
    let none = world.post("/revoke", &Jar::default(), &[("client_id", &signed_in.client)]).await;
    assert_error(&none, 400, "invalid_request", "token_missing");
}
