//! A running adapter and the requests tests send it.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter::config::Config;
use adapter::{Listeners, run};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use service::{Clock, ManualClock, Shutdown};

use crate::canned::Plane;
use crate::pool::{CLIENT, NOW, Pool};

pub(crate) const MODERN: &str = "2026-07-28";

/// The adapter, its pool and its Plane. Stops when dropped.
pub(crate) struct Stack {
    pub(crate) pool: Pool,
    pub(crate) plane: Plane,
    pub(crate) clock: ManualClock,
    address: String,
    pub(crate) admin: String,
    shutdown: Shutdown,
    http: reqwest::Client,
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

impl Stack {
    /// The usual one: alice's workspace, nothing else configured.
    pub(crate) async fn start() -> Self {
        Self::with("", Plane::of_alice()).await
    }

    /// One with more configuration and another Plane. `[plane]` is the last table, so keys of it may come first.
    pub(crate) async fn with(more: &str, plane: Plane) -> Self {
        Self::with_pool("", more, plane).await
    }

    /// One whose signing keys are somewhere else.
    pub(crate) async fn with_keys_at(jwks_uri: &str, plane: Plane) -> Self {
        Self::with_pool(&format!("jwks_uri = \"{jwks_uri}\"\n"), "", plane).await
    }

    async fn with_pool(cognito: &str, more: &str, plane: Plane) -> Self {
        let clock = ManualClock::at(NOW);
        Self::of((cognito, more), plane, clock.clone(), Arc::new(clock)).await
    }

    /// The usual one, which looks at `shown` for the time that `clock` has.
    pub(crate) async fn by_clock(plane: Plane, clock: ManualClock, shown: Arc<dyn Clock>) -> Self {
        Self::of(("", ""), plane, clock, shown).await
    }

    async fn of(
        (cognito, more): (&str, &str),
        plane: Plane,
        clock: ManualClock,
        shown: Arc<dyn Clock>,
    ) -> Self {
        let pool = Pool::start().await;
        let base = plane.start().await;
        let issuer = &pool.issuer;
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nthreads = 1\ndrain_seconds = 0\n\
             [cognito]\nissuer = \"{issuer}\"\nclient_ids = [\"{CLIENT}\"]\n{cognito}[plane]\nbase_url = \"{base}\"\n{more}"
        );
        let config = Config::load(Some(("test.toml".into(), text)), &BTreeMap::new()).unwrap();
        let listeners = Listeners::bind(&config.server).await.unwrap();
        let address = format!("http://{}", listeners.public.local_addr());
        let admin = format!("http://{}", listeners.admin.local_addr().unwrap());
        let shutdown = Shutdown::manual();
        tokio::spawn(run(config, listeners, shown, shutdown.clone(), None));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { pool, plane, clock, address, admin, shutdown, http }
    }

    /// A request to a path, with nothing set.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// A POST to the endpoint with what every client sends, but no credential.
    pub(crate) fn post(&self, body: impl ToString) -> RequestBuilder {
        self.request(Method::POST, "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_string())
    }

    /// The same, signed in as alice.
    pub(crate) fn as_alice(&self, body: impl ToString) -> RequestBuilder {
        self.post(body).bearer_auth(self.pool.id_token("alice"))
    }

    /// Calls a tool as alice, in the protocol of 2025-11-25, and gives the result.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let token = self.pool.id_token("alice");
        self.result_of(self.post(call(tool, &arguments)).bearer_auth(token)).await
    }

    /// The result of a tool call sent some other way.
    pub(crate) async fn result_of(&self, request: RequestBuilder) -> Value {
        let response = request.header("mcp-protocol-version", "2025-11-25").send().await.unwrap();
        let body = json_of(response, 200).await;
        body["result"].clone()
    }

    /// The JSON a successful call answers with.
    pub(crate) async fn answer(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        text_of(&result)
    }

    /// The JSON a failed call answers with.
    pub(crate) async fn failure(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        text_of(&result)
    }
}

/// The one text of a result, as JSON.
pub(crate) fn text_of(result: &Value) -> Value {
    assert_eq!(result["content"].as_array().unwrap().len(), 1, "{result}");
    assert!(result.get("structuredContent").is_none(), "the answer is there twice");
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

/// A `tools/call`.
pub(crate) fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// A body, after its status was checked.
pub(crate) async fn json_of(response: Response, status: u16) -> Value {
    let actual = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(actual, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
