//! What can be seen from outside of each setting.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::client::Era;
use tokio::time::timeout;

use super::World;

impl World {
    /// What is seen from outside of a setting: a word for what it is in the beginning and one for after its change.
    pub(super) async fn seen(&self, setting: &str) -> String {
        match setting.split_once('.').map(|(section, _)| section) {
            Some("oauth") => self.seen_of_oauth(setting).await,
            Some("client_documents") => self.seen_of_documents(setting).await,
            Some("limits") => self.seen_of_limits(setting).await,
            _ => self.seen_of_others(setting).await,
        }
    }

    /// Of `[oauth]`.
    async fn seen_of_oauth(&self, setting: &str) -> String {
        match setting {
            "oauth.allowed_redirect_uris" => self.registration("https://client.example/callback").await,
            "oauth.access_token_seconds" => {
                return self.stack.sign_in("bob").await.unwrap().tokens.expires_in.to_string();
            }
            "oauth.refresh_token_days" => {
                let session = self.stack.sign_in("bob").await.unwrap();
                let told = self.introspected(&session.tokens.refresh).await;
                let told = told.iter().find(|one| one["active"] == true).unwrap();
                let left = told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap();
                return format!("{} days", left.div_ceil(86_400));
            }
            "oauth.remember_consent" => {
                let page = self.page(&self.session.client_id, None).await;
                let cookie = page.headers["set-cookie"].to_str().unwrap().to_owned();
                return cookie.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().to_owned();
            }
            "oauth.relax_resource" => {
                self.page(&self.session.client_id, Some("http://localhost:3000/")).await.status
            }
            "oauth.introspection_secret_file" => {
                let told = self.introspected(&self.session.tokens.access).await;
                return told.iter().map(|one| one["active"].to_string()).collect::<Vec<_>>().join(" ");
            }
            other => panic!("nobody looks at {other}"),
        }
        .to_string()
    }

    /// Of `[client_documents]`.
    async fn seen_of_documents(&self, setting: &str) -> String {
        let client = &self.session.client;
        let document = self.documents.url("/client.json");
        match setting {
            "client_documents.enabled" => {
                let metadata = client.load("/.well-known/oauth-authorization-server").await.unwrap().json;
                return metadata["client_id_metadata_document_supported"].to_string();
            }
            "client_documents.allowed_hosts" | "client_documents.private_networks" => {
                let page = self.page(&document, None).await;
                let words =
                    ["client_document_address", "client_document_host", "client_document_unreachable"];
                return words
                    .into_iter()
                    .find(|word| page.body.contains(word))
                    .unwrap_or(&page.body)
                    .to_owned();
            }
            "client_documents.ca_file" => self.page(&document, None).await.status,
            other => panic!("nobody looks at {other}"),
        }
        .to_string()
    }

    /// Of `[limits]`.
    async fn seen_of_limits(&self, setting: &str) -> String {
        let client = &self.session.client;
        let origin = self.stack.origin();
        let host = self.host();
        match setting {
            "limits.connections" | "limits.connections_per_address" => {
                self.raw(format!("GET /healthz HTTP/1.1\nHost: {host}\n\n")).await
            }
            "limits.header_bytes" => {
                let large = "x".repeat(20_000);
                self.raw(format!("GET /healthz HTTP/1.1\nHost: {host}\nX-Large: {large}\n\n")).await
            }
            "limits.headers" => {
                let many: String = (0..30).map(|number| format!("X-{number}: x\n")).collect();
                self.raw(format!("GET /healthz HTTP/1.1\nHost: {host}\n{many}\n")).await
            }
            "limits.header_timeout_seconds" => {
                return if self.is_patient().await { "waits" } else { "closes" }.to_owned();
            }
            "limits.body_bytes" => self.echo(3000).await,
            "limits.body_timeout_seconds" => {
                let head = format!("POST /token HTTP/1.1\nHost: {host}\nContent-Length: 100\n");
                self.raw(format!("{head}Content-Type: application/x-www-form-urlencoded\n\ngrant")).await
            }
            "limits.requests_per_minute" => {
                self.echo(1).await;
                self.echo(1).await
            }
            "limits.oauth_requests_per_minute" => {
                let url = format!("{origin}/token").parse().unwrap();
                let mut last = 0;
                for _ in 0..3 {
                    let request = client.request("POST", &url).unwrap();
                    last = client.send(request.form(&[("grant_type", "none")])).await.unwrap().status;
                }
                last
            }
            "limits.registrations_per_minute" | "limits.registrations_per_hour" => {
                self.registration("http://127.0.0.1:9/callback").await;
                self.registration("http://127.0.0.1:9/callback").await
            }
            other => panic!("nobody looks at {other}"),
        }
        .to_string()
    }

    /// Of every other section.
    async fn seen_of_others(&self, setting: &str) -> String {
        let client = &self.session.client;
        let program = &self.stack.proxies[0].program;
        let host = self.host();
        match setting {
            "server.additional_hosts" => {
                self.raw("GET /mcp HTTP/1.1\nHost: other.example\n\n".to_owned()).await
            }
            "server.allowed_origins" => {
                let head = format!("POST /mcp HTTP/1.1\nHost: {host}\nContent-Length: 0\n");
                self.raw(format!("{head}Origin: https://app.example\n\n")).await
            }
            "server.trusted_proxies" => {
                self.echo(1).await;
                return self.stack.echo.last().unwrap().values("x-forwarded-for").join(" ");
            }
            "mcp.enabled" => {
                let request = client.rpc(Era::Modern, "none", "ping", &json!({})).unwrap();
                let url = client.endpoint().join("/mcp").unwrap();
                let request = request.build().unwrap();
                let body = request.body().and_then(|body| body.as_bytes()).unwrap().to_vec();
                client.send(client.request("POST", &url).unwrap().body(body)).await.unwrap().status
            }
            "routes" => client.load("/added").await.unwrap().status,
            "forward_auth.trusted_proxies" => {
                let address = program.listener("forward_auth").unwrap();
                let asked = reqwest::Client::builder().no_proxy().build().unwrap();
                let asked =
                    asked.get(format!("http://{address}/forward-auth")).header("x-forwarded-method", "GET");
                let asked = asked.header("x-forwarded-host", host).header("x-forwarded-uri", "/mcp");
                asked.send().await.unwrap().status().as_u16()
            }
            "vault.keys_file" => {
                let session = self.stack.sign_in("bob").await.unwrap();
                let header = session.tokens.access.split('.').next().unwrap().to_owned();
                let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
                let old = self.session.client.probe(&self.session.tokens.access).await.unwrap().status;
                return format!("{}, and old ones {old}", header["kid"].as_str().unwrap());
            }
            "log.filter" => {
                client.load("/healthz").await.unwrap();
                let is_told = async {
                    while !program.log().lines().iter().any(|line| line.contains("\"message\":\"request\"")) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                let told = timeout(Duration::from_secs(3), is_told).await;
                return told.map_or("none", |()| "requests").to_owned();
            }
            other => panic!("nobody looks at {other}"),
        }
        .to_string()
    }
}
