//! Step 4. From the credential to the person: the session's ID token, fresh enough to be forwarded.

use std::sync::Arc;

use service::Secret;

use super::authenticate::Credential;
use crate::{
    error::Error,
    terms::Scopes,
    vault::{Session, Vault},
};

/// On whose behalf a request goes on.
pub enum Identity {
    /// A person who signed in, with what the token at hand allows.
    Person {
        /// The session, its ID token fresh.
        session: Arc<Session>,
        /// The scopes of this token: the session's, or fewer.
        scopes: Scopes,
    },
    /// Whoever Plane says the key belongs to.
    ApiKey(Secret),
}

/// Finds the session behind a token and sees to it that its ID token is fresh.
///
/// # Errors
/// [`Error::SessionOver`] when the person must sign in again, [`Error::Unavailable`] when we cannot tell.
pub async fn identify(credential: Credential, vault: &Arc<Vault>) -> Result<Identity, Error> {
    match credential {
        Credential::ApiKey(key) => Ok(Identity::ApiKey(key)),
        Credential::Token(claims) => {
            let session = vault.fresh(&claims.sid).await?;
            // The token names its client, user and resource; a session of another is not the one it was issued for.
            if session.client != claims.client
                || session.user.subject != claims.subject
                || session.resource != claims.resource
            {
                return Err(Error::InvalidToken("foreign_session"));
            }
            Ok(Identity::Person { session, scopes: claims.scopes })
        }
        Credential::Cognito { token, resource } => {
            let session = vault.fresh_of(&token, &resource).await?;
            let scopes = session.scopes.clone();
            Ok(Identity::Person { session, scopes })
        }
    }
}
