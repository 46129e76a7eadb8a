//! What a test does behind Cognito's back: the administrator's, the network's and the attacker's part.

use serde_json::Value;

use super::{
    CognitoDouble,
    claims::{self, Subject},
    fault::Faults,
    server::{Host, LoggedRequest},
    signing::{Forgery, change, uuid},
    world::{Behaviour, User},
};
use crate::trouble::{Outcome, Trouble};

/// Which of a sign-in's two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The ID token.
    Id,
    /// The access token.
    Access,
}

/// The tokens of a sign-in made without a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The ID token.
    pub id_token: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token, which works at the token endpoint.
    pub refresh_token: String,
}

impl CognitoDouble {
    /// Adds somebody with [`CognitoDouble::PASSWORD`] and returns the new `sub`. An existing user is replaced.
    pub fn add_user(&self, username: &str, email: &str, groups: &[&str]) -> String {
        let user = User {
            sub: uuid(),
            username: username.to_owned(),
            email: email.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            password: Self::PASSWORD.to_owned(),
            disabled: false,
        };
        let sub = user.sub.clone();
        self.shared.world().users.insert(username.to_owned(), user);
        sub
    }

    /// The user as he is now.
    #[must_use]
    pub fn user(&self, username: &str) -> Option<User> {
        self.shared.world().users.get(username).cloned()
    }

    /// Changes a user: groups, e-mail, password. Seen by tokens made from now on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn change_user(&self, username: &str, change: impl FnOnce(&mut User)) -> Outcome {
        let mut world = self.shared.world();
        change(world.users.get_mut(username).ok_or_else(|| no_user(username))?);
        Ok(())
    }

    /// Disables a user: no sign-in and no refresh from now on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn disable_user(&self, username: &str) -> Outcome {
        self.change_user(username, |user| user.disabled = true)
    }

    /// Ends all sign-ins of a user, as a global sign-out or the eviction of old ones does: refreshes are answered with
    /// `invalid_grant`, while tokens already given out verify until they expire.
    pub fn evict_sessions(&self, username: &str) {
        self.shared.world().grants.retain(|_, grant| grant.username != username);
    }

    /// Allows another callback URL, byte for byte.
    pub fn allow_redirect_uri(&self, uri: &str) {
        self.shared.world().options.redirect_uris.push(uri.to_owned());
    }

    /// Changes how the pool behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.world().behaviour);
    }

    /// Sets what goes wrong from now on; `Faults::default()` ends all of it. Requests under way are not affected.
    pub fn set_faults(&self, faults: Faults) {
        *self.shared.faults() = faults;
    }

    /// Signs with new keys from now on, under new ids; the old ones stay published.
    ///
    /// # Errors
    /// When no RSA key can be made.
    pub fn rotate_keys(&self) -> Outcome {
        self.shared.world().keys.rotate()
    }

    /// Takes the keys of before a rotation off the key document.
    pub fn withdraw_old_keys(&self) {
        self.shared.world().keys.withdraw_retired();
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log().clone()
    }

    /// Requests to `path` of a host so far.
    #[must_use]
    pub fn requests_to(&self, host: Host, path: &str) -> Vec<LoggedRequest> {
        let log = self.shared.log();
        log.iter().filter(|request| request.host == host && request.path == path).cloned().collect()
    }

    /// How often a refresh was asked for, answered or not.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.shared.log().iter().filter(|request| request.asks_for("refresh_token")).count()
    }

    /// How often a code was to be redeemed, with success or not.
    #[must_use]
    pub fn code_exchanges(&self) -> usize {
        self.shared.log().iter().filter(|request| request.asks_for("authorization_code")).count()
    }

    /// Signs a user in without a browser; the tokens are as good as those of a browser's sign-in, with every scope.
    ///
    /// # Errors
    /// When there is no such user, he is disabled, or the client may not ask for `openid`.
    pub fn sign_in(&self, username: &str, nonce: Option<&str>) -> Outcome<Issued> {
        let mut world = self.shared.world();
        let mut grant = world.grant(username, world.options.scopes.clone(), world.now());
        grant.nonce = nonce.map(str::to_owned);
        let minted = world.mint(&grant, false).ok_or_else(|| no_user(username))??;
        let id_token = minted.id.ok_or_else(|| Trouble::new("the app client has no scope openid"))?;
        let refresh_token = world.new_refresh_token(&grant.origin_jti);
        world.grants.insert(grant.origin_jti.clone(), grant);
        Ok(Issued { id_token, access_token: minted.access, refresh_token })
    }

    /// An ID token for a user, properly signed, with claims changed (null takes one away).
    ///
    /// # Errors
    /// When there is no such user.
    pub fn mint_id_token(&self, username: &str, changes: &Value) -> Outcome<String> {
        self.forge(TokenKind::Id, username, changes, &Forgery::None)
    }

    /// An access token for a user, properly signed, with claims changed (null takes one away).
    ///
    /// # Errors
    /// When there is no such user.
    pub fn mint_access_token(&self, username: &str, changes: &Value) -> Outcome<String> {
        self.forge(TokenKind::Access, username, changes, &Forgery::None)
    }

    /// A token for a user with claims changed (null takes one away) and signed in any wrong way.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn forge(
        &self,
        kind: TokenKind,
        username: &str,
        changes: &Value,
        forgery: &Forgery,
    ) -> Outcome<String> {
        let world = self.shared.world();
        let user = world.users.get(username).ok_or_else(|| no_user(username))?;
        let grant = world.grant(username, world.options.scopes.clone(), world.now());
        let subject: Subject<'_> = world.subject(user, &grant);
        let (mut claims, key) = match kind {
            TokenKind::Id => (claims::id(&subject, None), &world.keys.id),
            TokenKind::Access => (claims::access(&subject), &world.keys.access),
        };
        change(&mut claims, changes);
        world.keys.sign(key, &claims, forgery)
    }
}

fn no_user(username: &str) -> Trouble {
    Trouble::new(format!("no user {username} who is not disabled"))
}
