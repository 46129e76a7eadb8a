//! Who asks: the proven credential every tool call and every Plane request is made with.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256};
use service::Secret;
use service::traces::TraceContext;

/// One authenticated request: the credential, and what the client said beside it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The proven credential.
    pub credential: Credential,
    /// `X-Workspace-slug`, honoured in api-key mode only.
    pub workspace: Option<String>,
    /// The request it is.
    pub origin: Origin,
    /// What the client may do on the caller's behalf.
    pub granted: Granted,
}

/// The client's request that something is done for, by the names Plane is told, so that logs and traces can be joined.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `X-Request-Id`.
    pub request_id: String,
    /// Its place in a trace; none for what is done after it.
    pub trace: Option<TraceContext>,
}

/// The scopes the user granted the client, when the edge says them. It only ever takes away, so a client that sets the
/// header itself harms nobody.
///
/// Without the header nothing is taken away: then the client holds the user's ID token or API key itself, which opens
/// all of Plane to it anyway, or a reverse proxy in front has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted(Option<BTreeSet<String>>);

impl Granted {
    /// Scopes with spaces between, as in OAuth (RFC 6749 section 3.3).
    pub fn only(scopes: &str) -> Self {
        Self(Some(scopes.split_ascii_whitespace().map(str::to_owned).collect()))
    }

    /// Whether what needs this scope may be done.
    pub fn covers(&self, scope: &str) -> bool {
        self.0.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

/// How the caller proved who they are. Exactly one of the two: never both.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A verified Cognito ID token.
    Identity(Identity),
    /// A Plane API key; Plane itself is the judge of it.
    ApiKey(Secret),
}

/// A user signed in at Cognito, as a verified ID token says.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The pool the token comes from.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
    /// The `cognito:username` claim, the name Plane knows the user by.
    pub username: String,
    /// The `email` claim, when there is one.
    pub email: Option<String>,
    /// The token itself, sent to Plane's public address.
    pub id_token: Secret,
    /// The token's `exp`, in seconds since the epoch.
    pub expires: u64,
}

/// Key of everything held per user: session cookies, budgets, caches.
///
/// A digest, so that no cache holds an API key, and two users can never share an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account([u8; 32]);

impl Credential {
    /// The account this credential stands for.
    pub fn account(&self) -> Account {
        match self {
            Self::Identity(user) => Account::of(&["identity", &user.issuer, &user.subject, &user.username]),
            Self::ApiKey(key) => Account::of(&["api-key", key.expose()]),
        }
    }

    /// The mode's name, for log lines.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Identity(_) => "identity",
            Self::ApiKey(_) => "api-key",
        }
    }
}

impl Identity {
    /// Whether `email` is this user's address at Plane, which is made of the sign-in name or is the address of the same
    /// token.
    pub fn is_known_as(&self, email: &str) -> bool {
        let (known, username) = (email.to_lowercase(), self.username.to_lowercase());
        let local = known.split('@').next().unwrap_or_default();
        let by_email = self.email.as_deref().is_some_and(|email| email.to_lowercase() == known);
        !known.is_empty() && (known == username || local == username || by_email)
    }
}

impl Account {
    /// Digests the parts with their lengths, so that no two lists of parts can run together.
    fn of(parts: &[&str]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(subject: &str, username: &str) -> Credential {
        Credential::Identity(Identity {
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            username: username.into(),
            email: None,
            id_token: Secret::new("t"),
            expires: 0,
        })
    }

    #[test]
    fn the_same_user_with_another_token_is_the_same_account() {
        let mut other = user("1", "alice");
        if let Credential::Identity(identity) = &mut other {
            identity.id_token = Secret::new("another");
        }
        assert_eq!(user("1", "alice").account(), other.account());
    }

    #[test]
    fn a_user_is_known_by_name_or_by_address_and_else_not() {
        let known = |username: &str, address: Option<&str>, email: &str| {
            let Credential::Identity(identity) = user("1", username) else { unreachable!() };
            Identity { email: address.map(str::to_owned), ..identity }.is_known_as(email)
        };
        assert!(known("Alice", None, "alice@example.com"));
        assert!(known("alice@example.com", None, "alice@example.com"));
        assert!(known("0c1d", Some("Alice@example.com"), "alice@example.com"));
        assert!(!known("alice", Some("alice@example.com"), "bob@example.com"));
        assert!(!known("alice", Some(""), ""));
    }

    #[test]
    fn users_and_keys_never_share_an_account() {
        let accounts = [
            user("1", "alice").account(),
            user("1a", "lice").account(),
            user("2", "alice").account(),
            Credential::ApiKey(Secret::new("1")).account(),
        ];
        for (at, one) in accounts.iter().enumerate() {
            assert!(accounts.iter().skip(at + 1).all(|other| one != other));
        }
    }
}
