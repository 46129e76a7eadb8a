//! Amazon Cognito as far as this repository sees it: an issuer host that publishes keys, and on another port the OAuth
//! domain that signs people in. Claims, error names and omissions are Cognito's own; so is what it forgets to check.
//!
//! ```text
//! issuer host   /<pool>/.well-known/{openid-configuration,jwks.json}
//! OAuth domain  /oauth2/{authorize,token,revoke,userInfo}  /login  /logout  /error
//! ```
//!
//! The handle plays the people behind the scenes too: the administrator who disables a user or rotates keys, the
//! network that fails ([`Faults`]), and the attacker who forges tokens ([`Forgery`]). [`CognitoDouble::requests`] tells
//! what was sent where.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use service::{Clock, SystemClock};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::trouble::{Outcome, While};

mod answer;
mod authorize;
mod claims;
mod control;
mod fault;
mod issuer;
mod server;
mod sign_out;
mod signing;
mod token;
mod world;

#[cfg(test)]
mod tests;

pub use self::{
    control::{Issued, TokenKind},
    fault::{Fault, Faults},
    server::{Host, LoggedRequest},
    signing::Forgery,
    world::{Behaviour, User},
};
use self::{server::Shared, signing::KeyRing, world::World};

/// How the pool and its app client are set up. What can change while it runs is in [`Behaviour`].
#[derive(Debug, Clone)]
pub struct CognitoOptions {
    /// The time the pool lives in.
    pub clock: Arc<dyn Clock>,
    /// The user pool id, the path of the issuer.
    pub pool_id: String,
    /// The app client's id.
    pub client_id: String,
    /// The app client's secret; `None` makes it a public client.
    pub client_secret: Option<String>,
    /// The callback URLs, compared byte for byte. More can be added while it runs.
    pub redirect_uris: Vec<String>,
    /// The sign-out URLs, compared byte for byte.
    pub logout_uris: Vec<String>,
    /// The scopes the app client may ask for.
    pub scopes: Vec<String>,
    /// Where the issuer host listens; port 0 is any free one.
    pub issuer_address: SocketAddr,
    /// Where the OAuth domain listens; port 0 is any free one.
    pub domain_address: SocketAddr,
    /// What it is called, where that is not where it listens.
    pub called: Option<Called>,
    /// The first behaviour.
    pub behaviour: Behaviour,
}

/// The names of a pool that others reach through something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Origin of both hosts for programs: of the issuer, and of the endpoints they ask.
    pub programs: String,
    /// Origin of the OAuth domain for browsers.
    pub browsers: String,
}

impl Default for CognitoOptions {
    fn default() -> Self {
        let scopes = ["openid", "email", "profile", "phone", "aws.cognito.signin.user.admin"];
        Self {
            clock: Arc::new(SystemClock),
            pool_id: "eu-central-1_Double01".to_owned(),
            client_id: "7doubleclientid0example01".to_owned(),
            client_secret: Some("double-client-secret-51-characters-like-the-real-o".to_owned()),
            redirect_uris: Vec::new(),
            logout_uris: Vec::new(),
            scopes: scopes.map(str::to_owned).to_vec(),
            issuer_address: SocketAddr::from(([127, 0, 0, 1], 0)),
            domain_address: SocketAddr::from(([127, 0, 0, 1], 0)),
            called: None,
            behaviour: Behaviour::default(),
        }
    }
}

/// A running user pool; stops when dropped. `alice` and `bob` are in it, both with [`CognitoDouble::PASSWORD`].
#[derive(Debug)]
pub struct CognitoDouble {
    /// The app client's id.
    pub client_id: String,
    /// The app client's secret, if it has one.
    pub client_secret: Option<String>,
    issuer_url: String,
    domain_url: String,
    shared: Arc<Shared>,
    addresses: [SocketAddr; 2],
    listeners: Vec<AbortHandle>,
}

impl CognitoDouble {
    /// Every user's password until it is set otherwise.
    pub const PASSWORD: &'static str = "Correct-Horse-1";

    /// How long the browser's own session makes the sign-in page disappear.
    pub const BROWSER_SESSION: Duration = Duration::from_secs(60 * 60);

    /// How long an authorization code can be redeemed.
    pub const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);

    /// Starts a pool with its two listeners.
    ///
    /// # Errors
    /// When a port cannot be had or no RSA key can be made.
    pub async fn start(options: CognitoOptions) -> Outcome<Self> {
        let issuer =
            TcpListener::bind(options.issuer_address).await.while_doing("listen as Cognito's issuer host")?;
        let domain = TcpListener::bind(options.domain_address)
            .await
            .while_doing("listen as Cognito's OAuth domain")?;
        let issuer_address = issuer.local_addr().while_doing("read a listener's address")?;
        let domain_address = domain.local_addr().while_doing("read a listener's address")?;
        let called = options.called.as_ref().map(|called| called.programs.clone());
        let issuer_origin = called.clone().unwrap_or_else(|| format!("http://{issuer_address}"));
        let issuer_url = format!("{issuer_origin}/{}", options.pool_id);
        let domain_url = called.unwrap_or_else(|| format!("http://{domain_address}"));
        // The first RSA keys take a tenth of a second each, which the other tasks of this thread shall not wait for.
        let keys = tokio::task::spawn_blocking(KeyRing::generate).await.while_doing("make RSA keys")??;
        let (client_id, client_secret) = (options.client_id.clone(), options.client_secret.clone());
        let world = World::new(options, issuer_url.clone(), domain_url.clone(), keys);
        let shared = Arc::new(Shared::new(world));
        let addresses = [issuer_address, domain_address];
        let listeners = Vec::new();
        let mut double =
            Self { client_id, client_secret, issuer_url, domain_url, shared, addresses, listeners };
        double.listen([issuer, domain]);
        double.add_user("alice", "alice@example.com", &["engineering"]);
        double.add_user("bob", "bob@example.com", &[]);
        Ok(double)
    }

    fn listen(&mut self, [issuer, domain]: [TcpListener; 2]) {
        let listeners = [(issuer, Host::Issuer), (domain, Host::Domain)].map(|(listener, host)| {
            tokio::spawn(server::serve(listener, host, Arc::clone(&self.shared))).abort_handle()
        });
        self.listeners = listeners.into();
    }

    /// Closes both listeners and all connections: connecting is refused from now on.
    pub fn stop(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.abort();
        }
    }

    /// Listens again after [`CognitoDouble::stop`], with everything it knew.
    ///
    /// # Errors
    /// When somebody else has taken a port meanwhile.
    pub async fn start_again(&mut self) -> Outcome {
        let [issuer, domain] = self.addresses;
        let issuer = TcpListener::bind(issuer).await.while_doing("listen as Cognito's issuer host again")?;
        let domain = TcpListener::bind(domain).await.while_doing("listen as Cognito's OAuth domain again")?;
        self.listen([issuer, domain]);
        Ok(())
    }

    /// The issuer, as in `iss`: `http://127.0.0.1:PORT/POOL`.
    #[must_use]
    pub fn issuer_url(&self) -> &str {
        &self.issuer_url
    }

    /// The OAuth domain, on another port: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn domain_url(&self) -> &str {
        &self.domain_url
    }
}

impl Drop for CognitoDouble {
    fn drop(&mut self) {
        self.stop();
    }
}
