//! `plane-mcp-adapter` as a running program.

use std::collections::BTreeMap;

use crate::{
    program::{Kind, Program},
    settings::Settings,
    trouble::Outcome,
};

/// What the adapter has to be told about the world it runs in.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The user pool's issuer.
    pub issuer: String,
    /// The app client whose ID tokens it takes.
    pub client_id: String,
    /// Plane behind the team's front: for calls with an ID token.
    pub plane_front: String,
    /// Plane itself: for calls with an API key.
    pub plane: String,
    /// The workspace tools use when none is named.
    pub workspace: String,
}

impl Surroundings {
    /// The configuration file for an adapter on free ports.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.set("server.listen", "127.0.0.1:0");
        settings.set("server.admin_listen", "127.0.0.1:0");
        settings.set("server.threads", 1);
        settings.set("cognito.issuer", self.issuer.as_str());
        settings.set("cognito.client_ids", vec![self.client_id.clone()]);
        settings.set("plane.base_url", self.plane_front.as_str());
        settings.set("plane.api_url", self.plane.as_str());
        settings.set("plane.workspace_slug", self.workspace.as_str());
        settings.set("plane.requests_per_minute", 6000);
        settings.set("log.format", "json");
        settings.set("log.filter", "info");
        settings
    }
}

/// A running adapter.
#[derive(Debug)]
pub struct Adapter {
    /// The program.
    pub program: Program,
    /// The URL of its MCP endpoint.
    pub endpoint: String,
    /// Its configuration file as started.
    pub settings: Settings,
}

impl Adapter {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up; the sentence carries its log.
    pub async fn start(settings: &Settings) -> Outcome<Self> {
        let program = Program::start(Kind::Adapter, settings, &BTreeMap::new()).await?;
        let endpoint = format!("http://{}/mcp", program.public());
        Ok(Self { program, endpoint, settings: settings.clone() })
    }
}
