//! The MCP side of the client: requests of the stateless protocol (2026-07-28) and of the older ones.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Answer, McpClient, SignedIn};
use crate::trouble::{Outcome, Trouble, While};

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: each request describes itself, in `_meta` and in headers.
    Modern,
    /// 2025-11-25: after an `initialize` handshake.
    Legacy,
}

impl Era {
    /// The protocol version sent.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Modern => "2026-07-28",
            Self::Legacy => "2025-11-25",
        }
    }
}

/// A JSON-RPC request; for [`Era::Modern`] with the `_meta` that era demands.
#[must_use]
pub fn rpc_body(era: Era, method: &str, params: &Value) -> Value {
    let mut params = if params.is_object() { params.clone() } else { json!({}) };
    if era == Era::Modern {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": era.version(),
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "stack", "version": "1" },
        });
    }
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

impl McpClient {
    /// A POST to the endpoint with the headers of an MCP request and, unless it is empty, the bearer token.
    ///
    /// # Errors
    /// When the endpoint cannot be addressed.
    pub fn rpc(&self, era: Era, bearer: &str, method: &str, params: &Value) -> Outcome<RequestBuilder> {
        let mut request = self.request("POST", self.endpoint())?;
        request = request.header("accept", "application/json, text/event-stream");
        request = request.header("mcp-protocol-version", era.version());
        if era == Era::Modern {
            request = request.header("mcp-method", method);
            if let Some(name) = params["name"].as_str() {
                request = request.header("mcp-name", name);
            }
        }
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        Ok(request.json(&rpc_body(era, method, params)))
    }

    /// Sends [`McpClient::rpc`] with `Era::Modern` for `tools/list`: the cheapest request that needs a valid token.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn probe(&self, bearer: &str) -> Outcome<Answer> {
        self.send(self.rpc(Era::Modern, bearer, "tools/list", &Value::Null)?).await
    }
}

impl SignedIn {
    /// Sends a request and returns its `result`.
    ///
    /// # Errors
    /// When the answer is an error of HTTP or JSON-RPC.
    pub async fn call(&self, era: Era, method: &str, params: &Value) -> Outcome<Value> {
        let request = self.client.rpc(era, &self.tokens.access, method, params)?;
        let answer = self.client.send(request).await?.expect_status(200)?;
        match &answer.json["result"] {
            Value::Null => Err(Trouble::new(format!("{method} gave no result: {}", answer.text))),
            result => Ok(result.clone()),
        }
    }

    /// Calls a tool and returns the JSON it answers.
    ///
    /// # Errors
    /// When the call or the tool fails.
    pub async fn tool(&self, era: Era, name: &str, arguments: &Value) -> Outcome<Value> {
        let result = self.call(era, "tools/call", &json!({ "name": name, "arguments": arguments })).await?;
        if result["isError"] == true {
            return Err(Trouble::new(format!("{name} failed: {result}")));
        }
        if result["structuredContent"].is_object() {
            return Ok(result["structuredContent"].clone());
        }
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        serde_json::from_str(text).while_doing(format_args!("read the answer of {name}"))
    }

    /// The names of the tools offered, in the order given.
    ///
    /// # Errors
    /// When the list cannot be had.
    pub async fn tools(&self, era: Era) -> Outcome<Vec<String>> {
        let result = self.call(era, "tools/list", &Value::Null).await?;
        let tools = result["tools"].as_array().cloned().unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
    }

    /// Does the handshake of the older protocol and returns the version agreed on.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn initialize(&self) -> Outcome<String> {
        let params = json!({
            "protocolVersion": Era::Legacy.version(),
            "capabilities": {},
            "clientInfo": { "name": "stack", "version": "1" },
        });
        let result = self.call(Era::Legacy, "initialize", &params).await?;
        Ok(result["protocolVersion"].as_str().unwrap_or_default().to_owned())
    }
}
