//! rmcp's own client: discovery, registration and tokens are its, only the person is ours.

use reqwest::{Certificate, redirect::Policy};
use rmcp::{
    RoleClient, ServiceError,
    model::{CallToolRequestParams, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt, RunningService},
    transport::{
        StreamableHttpClientTransport,
        auth::{AuthClient, AuthorizationManager, AuthorizationRequest, AuthorizationSession},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;
use stack::{
    browser::Browser,
    chain::{Chain, Way},
    client::REDIRECT_URI,
};

/// A client that has signed in, and its connection.
struct Connected {
    auth: AuthClient<reqwest::Client>,
    service: RunningService<RoleClient, ()>,
}

async fn connect(chain: &Chain, browser: &Browser, lifecycle: ClientLifecycleMode) -> Connected {
    let endpoint = format!("{}/mcp", chain.public_url);
    let ca = Certificate::from_pem(chain.authority.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).redirect(Policy::none()).no_proxy();
    let http = http.build().unwrap();
    let mut manager = AuthorizationManager::new(&endpoint).await.unwrap();
    manager.with_client(http.clone()).unwrap();
    let found = manager.resolve_metadata().await.unwrap();
    assert!(found.source.is_discovered(), "{:?}", found.source);
    manager.set_metadata(found.metadata);
    let request = AuthorizationRequest::new(REDIRECT_URI).with_client_name("rmcp");
    let session = AuthorizationSession::new(manager, request).await.map_err(|(_, error)| error).unwrap();
    let url = session.get_authorization_url().parse().unwrap();
    let callback = browser.sign_in(&url, &chain.person("alice")).await.unwrap();
    session.handle_callback_url(callback.url.as_str()).await.unwrap();

    let auth = AuthClient::new(http, session.auth_manager);
    let config = StreamableHttpClientTransportConfig::with_uri(endpoint);
    let transport = StreamableHttpClientTransport::with_client(auth.clone(), config);
    let service = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
    Connected { auth, service }
}

impl Connected {
    async fn email(&self) -> Result<String, ServiceError> {
        let result = self.service.call_tool(CallToolRequestParams::new("get_me")).await?;
        let result = serde_json::to_value(result).unwrap();
        let me: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        Ok(me["email"].as_str().unwrap().to_owned())
    }

    async fn goes_all_the_way(&self) -> String {
        let tools = self.service.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "list_projects"), "{tools:?}");
        self.email().await.unwrap()
    }
}

async fn rmcp_goes_all_the_way(way: Way, lifecycle: ClientLifecycleMode) {
    let chain = Chain::builder(way).start().await.unwrap();
    let browser = chain.browser().unwrap();
    let client = connect(&chain, &browser, lifecycle.clone()).await;
    assert_eq!(client.goes_all_the_way().await, "alice@example.com");

    let before = client.auth.get_access_token().await.unwrap();
    client.auth.auth_manager.lock().await.refresh_token().await.unwrap();
    let after = client.auth.get_access_token().await.unwrap();
    assert!(before != after, "the same access token");
    assert_eq!(client.email().await.unwrap(), "alice@example.com");

    let (client_id, tokens) = client.auth.auth_manager.lock().await.get_credentials().await.unwrap();
    let tokens = serde_json::to_value(tokens.unwrap()).unwrap();
    let form = [("token", tokens["refresh_token"].as_str().unwrap()), ("client_id", &client_id)];
    let revoke = chain.client("/mcp").unwrap();
    let url = format!("{}/revoke", chain.public_url).parse().unwrap();
    let answer = revoke.send(revoke.request("POST", &url).unwrap().form(&form)).await.unwrap();
    answer.expect_status(200).unwrap();
    // It tries a refresh by itself, and tells its host that somebody has to sign in.
    let refused = client.email().await.unwrap_err();
    assert!(format!("{refused:?}").contains("AuthRequired"), "{refused:?}");
    let again = connect(&chain, &browser, lifecycle).await;
    assert_eq!(again.goes_all_the_way().await, "alice@example.com");
    assert_eq!(chain.plane.users_seen(), ["alice@example.com"]);
}

fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

#[tokio::test]
async fn rmcp_goes_all_the_way_inline() {
    rmcp_goes_all_the_way(Way::Inline, modern()).await;
}

#[tokio::test]
async fn rmcp_goes_all_the_way_behind_traefik() {
    rmcp_goes_all_the_way(Way::Behind, modern()).await;
}

#[tokio::test]
async fn rmcp_goes_all_the_way_in_its_legacy_mode_by_forward_auth() {
    rmcp_goes_all_the_way(Way::ForwardAuth, ClientLifecycleMode::Initialize).await;
}
