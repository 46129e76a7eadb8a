//! The state of the pool: users, browsers that are signed in, codes, and the grants refresh tokens stand for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use service::Clock;

use super::{
    CognitoOptions,
    claims::{self, Subject},
    signing::{Forgery, KeyRing, random, uuid},
};
use crate::trouble::Outcome;

/// What an administrator can set on the app client, and what Cognito may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Validity of ID tokens.
    pub id_token_lifetime: Duration,
    /// Validity of access tokens, which is also `expires_in`.
    pub access_token_lifetime: Duration,
    /// Validity of a sign-in: refresh tokens end then, also rotated ones.
    pub refresh_token_lifetime: Duration,
    /// Refresh token rotation with this grace period (0 to 60 s); `None` is off, and refreshes return no refresh token.
    pub rotation: Option<Duration>,
    /// With rotation: whether a refresh token used after its grace ends the whole sign-in. Cognito's way is unknown.
    pub reuse_ends_sign_in: bool,
    /// Whether token revocation is on; off, there is no `origin_jti` or `jti` and revoking is refused.
    pub revocation: bool,
    /// Signing in gives no refresh token.
    pub sign_in_omits_refresh_token: bool,
    /// Refreshes return no ID token.
    pub refresh_omits_id_token: bool,
    /// Refreshes return no refresh token although rotation is on.
    pub refresh_omits_refresh_token: bool,
    /// Refreshed ID tokens have no `nonce`.
    pub refresh_omits_nonce: bool,
    /// Refreshed tokens have another `sub`.
    pub refresh_changes_subject: bool,
    /// Bytes of a custom claim put into ID tokens: 6,000 make a token of 9 kB.
    pub custom_claim_bytes: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            id_token_lifetime: Duration::from_secs(60 * 60),
            access_token_lifetime: Duration::from_secs(60 * 60),
            refresh_token_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            rotation: None,
            reuse_ends_sign_in: false,
            revocation: true,
            sign_in_omits_refresh_token: false,
            refresh_omits_id_token: false,
            refresh_omits_refresh_token: false,
            refresh_omits_nonce: false,
            refresh_changes_subject: false,
            custom_claim_bytes: 0,
        }
    }
}

/// Somebody in the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `sub`: a UUID, never the user name.
    pub sub: String,
    /// `username` and `cognito:username`.
    pub username: String,
    /// `email`, verified.
    pub email: String,
    /// `cognito:groups`.
    pub groups: Vec<String>,
    /// What to type on the sign-in page.
    pub password: String,
    /// Disabled: neither sign-in nor refresh.
    pub disabled: bool,
}

/// A browser that signed in within the hour.
#[derive(Debug)]
pub(super) struct BrowserSession {
    pub(super) username: String,
    pub(super) auth_time: u64,
    pub(super) until: u64,
}

/// What one sign-in was asked for and gave: all tokens that come from it share it.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) origin_jti: String,
    pub(super) username: String,
    pub(super) scopes: Vec<String>,
    pub(super) nonce: Option<String>,
    /// RFC 8707: the `aud` of access tokens.
    pub(super) resource: Option<String>,
    pub(super) auth_time: u64,
    /// When refresh tokens end.
    pub(super) until: u64,
}

/// A code on its way through the browser.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) until: u64,
}

/// A refresh token that was given out.
#[derive(Debug, Clone)]
pub(super) struct RefreshToken {
    pub(super) origin_jti: String,
    /// When rotation replaced it first.
    pub(super) replaced_at: Option<u64>,
}

/// Tokens made for one grant.
#[derive(Debug)]
pub(super) struct Minted {
    pub(super) access: String,
    /// Only with scope `openid`.
    pub(super) id: Option<String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: CognitoOptions,
    pub(super) issuer: String,
    pub(super) domain: String,
    pub(super) behaviour: Behaviour,
    pub(super) keys: KeyRing,
    pub(super) users: BTreeMap<String, User>,
    pub(super) browsers: HashMap<String, BrowserSession>,
    pub(super) codes: HashMap<String, Code>,
    /// By `origin_jti`. A revoked or evicted sign-in is not in here any more.
    pub(super) grants: HashMap<String, Grant>,
    pub(super) refresh_tokens: HashMap<String, RefreshToken>,
    /// Access tokens given out, with the `origin_jti` they come from.
    pub(super) access_tokens: HashMap<String, String>,
}

impl World {
    pub(super) fn new(options: CognitoOptions, issuer: String, domain: String, keys: KeyRing) -> Self {
        Self {
            behaviour: options.behaviour.clone(),
            options,
            issuer,
            domain,
            keys,
            users: BTreeMap::new(),
            browsers: HashMap::new(),
            codes: HashMap::new(),
            grants: HashMap::new(),
            refresh_tokens: HashMap::new(),
            access_tokens: HashMap::new(),
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.options.clock
    }

    pub(super) fn now(&self) -> u64 {
        self.clock().unix()
    }

    /// A sign-in that begins now.
    pub(super) fn grant(&self, username: &str, scopes: Vec<String>, auth_time: u64) -> Grant {
        Grant {
            origin_jti: uuid(),
            username: username.to_owned(),
            scopes,
            nonce: None,
            resource: None,
            auth_time,
            until: self.now().saturating_add(self.behaviour.refresh_token_lifetime.as_secs()),
        }
    }

    /// Signs tokens for a grant, with the user as he is now. `None` when he is gone or disabled.
    pub(super) fn mint(&mut self, grant: &Grant, refreshed: bool) -> Option<Outcome<Minted>> {
        let user = self.users.get(&grant.username).filter(|user| !user.disabled)?.clone();
        Some(self.mint_for(&user, grant, refreshed))
    }

    fn mint_for(&mut self, user: &User, grant: &Grant, refreshed: bool) -> Outcome<Minted> {
        let mut user = user.clone();
        let mut grant = grant.clone();
        if refreshed && self.behaviour.refresh_changes_subject {
            user.sub = uuid();
        }
        if refreshed && self.behaviour.refresh_omits_nonce {
            grant.nonce = None;
        }
        let subject = self.subject(&user, &grant);
        let access = self.keys.sign(&self.keys.access, &claims::access(&subject), &Forgery::None)?;
        let id = if grant.scopes.iter().any(|scope| scope == "openid") {
            let claims: Value = claims::id(&subject, Some(&access));
            Some(self.keys.sign(&self.keys.id, &claims, &Forgery::None)?)
        } else {
            None
        };
        self.access_tokens.insert(access.clone(), grant.origin_jti.clone());
        Ok(Minted { access, id })
    }

    pub(super) fn subject<'a>(&'a self, user: &'a User, grant: &'a Grant) -> Subject<'a> {
        Subject {
            user,
            grant,
            behaviour: &self.behaviour,
            issuer: &self.issuer,
            client_id: &self.options.client_id,
            now: self.now(),
        }
    }

    /// A new refresh token of a grant, opaque and as long as real ones.
    pub(super) fn new_refresh_token(&mut self, origin_jti: &str) -> String {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = part(br#"{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}"#);
        let token = format!(
            "{header}.{}.{}.{}.{}",
            part(&random::<256>()),
            part(&random::<12>()),
            part(&random::<930>()),
            part(&random::<16>()),
        );
        let entry = RefreshToken { origin_jti: origin_jti.to_owned(), replaced_at: None };
        self.refresh_tokens.insert(token.clone(), entry);
        token
    }

    /// Ends a sign-in: its refresh tokens are dead, and its access tokens at Cognito's own endpoints.
    pub(super) fn end(&mut self, origin_jti: &str) {
        self.grants.remove(origin_jti);
    }
}
