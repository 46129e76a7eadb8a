//! What requests go by: everything of the configuration that can change while we run. The rules never change; a reload
//! makes new ones, which are put in their place whole. A request takes them once, at its beginning, and goes on by them.

use std::sync::Arc;

use service::Clock;

use crate::{
    config::{Config, Limits, OauthGrants, Route, RouteKind, Server},
    limits::{Limiter, Rate, SharedLimiter, TrustedProxies},
    oauth::{ClientDocuments, LoadError, OAuth, OAuthSettings, Parts, ProtectedResource, RedirectPattern},
};

/// What one request goes by, from its first byte to its last.
pub struct Rules {
    /// What we are called, and whom we believe.
    pub server: Server,
    /// What is behind us, longest path first.
    pub routes: Vec<Arc<Route>>,
    /// What one caller may cost us.
    pub limits: Limits,
    /// Who is answered at the ForwardAuth listener.
    pub may_ask: TrustedProxies,
    /// The authorization server.
    pub oauth: OAuth,
    /// Requests a minute for a session.
    pub by_session: Limiter,
    /// OAuth requests a minute for an address, at all replicas together.
    pub by_address: SharedLimiter,
    /// The master switch.
    pub mcp_enabled: bool,
}

impl Rules {
    /// The rules at the start.
    ///
    /// # Errors
    /// When `client_documents.ca_file` cannot be used.
    pub(crate) fn new(config: &Config, parts: Parts) -> Result<Self, LoadError> {
        let (store, clock): (_, Arc<dyn Clock>) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let documents = ClientDocuments::load(&config.client_documents, &clock)?;
        let oauth = OAuth::new(oauth_settings(config), parts).with_client_documents(documents);
        let by_session = Limiter::new(session_rate(&config.limits), Arc::clone(&clock));
        let by_address = SharedLimiter::new("oauth", address_rate(&config.limits), store, clock);
        Ok(Self::of(config, oauth, (by_session, by_address)))
    }

    /// The rules after these, with what these have counted. `documents_anew`: see [`ClientDocuments::reload`].
    ///
    /// # Errors
    /// As [`Rules::new`].
    pub(crate) fn next(
        &self,
        config: &Config,
        documents_anew: bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, LoadError> {
        let wanted = &config.client_documents;
        let documents = match self.oauth.client_documents() {
            Some(known) => known.reload(wanted, documents_anew)?,
            None => ClientDocuments::load(wanted, clock)?,
        };
        let oauth = self.oauth.with_settings(oauth_settings(config)).with_client_documents(documents);
        let by_session = self.by_session.at(session_rate(&config.limits));
        let by_address = self.by_address.at(address_rate(&config.limits));
        Ok(Self::of(config, oauth, (by_session, by_address)))
    }

    fn of(config: &Config, oauth: OAuth, (by_session, by_address): (Limiter, SharedLimiter)) -> Self {
        let may_ask = config.forward_auth.as_ref().map(|asked| asked.trusted_proxies.clone());
        Self {
            server: config.server.clone(),
            routes: config.routes.iter().cloned().map(Arc::new).collect(),
            limits: config.limits.clone(),
            may_ask: may_ask.unwrap_or_default(),
            oauth,
            by_session,
            by_address,
            mcp_enabled: config.mcp_enabled,
        }
    }
}

/// How often a session may ask.
fn session_rate(limits: &Limits) -> Option<Rate> {
    Rate::per_minute(limits.requests_per_minute, limits.requests_per_minute.div_ceil(4))
}

/// How often an address may at the OAuth endpoints.
fn address_rate(limits: &Limits) -> Option<Rate> {
    Rate::per_minute(limits.oauth_requests_per_minute, limits.oauth_requests_per_minute.div_ceil(2))
}

fn oauth_settings(config: &Config) -> OAuthSettings {
    let takes_tokens = config.routes.iter().filter(|route| route.kind != RouteKind::ApiKey);
    let resources = takes_tokens.map(|route| ProtectedResource {
        path: route.path.clone(),
        resource: route.resource.clone(),
        scopes: route.scopes.clone(),
        name: route.name.clone(),
    });
    let mut allowed = RedirectPattern::known();
    allowed.extend(config.oauth.allowed_redirect_uris.iter().cloned());
    let OauthGrants { access_token, session, remember_consent, relax_resource, .. } = config.oauth;
    OAuthSettings {
        allowed_redirect_uris: allowed,
        access_token,
        refresh_token: session,
        session_max: session,
        remember_consent,
        relax_resource,
        introspection_secret: config.oauth.introspection_secret.clone(),
        registrations_per_minute: config.limits.registrations_per_minute,
        registrations_per_hour: config.limits.registrations_per_hour,
        // A sign-in takes more than two requests: one address alone never finds its network over this.
        sign_ins_per_minute: config.limits.oauth_requests_per_minute.div_ceil(2),
        ..OAuthSettings::new(config.server.public_url.clone(), resources.collect())
    }
}
