//! Remembered approvals: a person who approved a client is not asked the same again for 30 days, in the same browser.
//!
//! Who sits at the browser is known only when Cognito has signed them in, so an approval is looked at twice: at
//! `/authorize`, where one of anybody lets the browser go on to Cognito, and at the callback, where it must be one of the
//! very user who came back; if it is not, the consent page is shown then, before there is any session or code.
//!
//! Whatever is in doubt means asking: a store that does not answer, a record that does not open, a browser without a
//! cookie, a client that somebody else could pretend to be.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use super::authorize::Transaction;
use super::browser::Browser;
use super::error::OAuthError;
use super::opaque::{fingerprint, same};
use super::parameters::Parameters;
use super::records::Held;
use super::redirect::RedirectUri;
use super::{OAuth, OAuthRequest};
use crate::keys::Purpose;
use crate::store::names;
use crate::terms::{ClientId, Resource, Scopes};
use crate::vault::User;

/// How long an approval is remembered. Using it does not make it last longer.
pub(super) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Approvals kept for one client in one browser; the oldest goes, and its user is asked again.
const MAX_APPROVALS: usize = 16;

/// What one user approved for one client.
#[derive(Debug, Serialize, Deserialize)]
struct Approval {
    /// Hash of the user's issuer and subject.
    user: String,
    redirect_uri: String,
    scopes: Scopes,
    resource: Resource,
    /// When (unix seconds).
    given: u64,
}

impl Approval {
    /// Whether nothing is asked for that was not approved. The port of a loopback address may differ.
    fn covers(&self, asked: &Transaction) -> bool {
        self.is_for_the_place_of(asked) && self.scopes.covers(&asked.scopes)
    }

    /// Whether a new approval of `asked` says all that this one does.
    fn is_covered_by(&self, asked: &Transaction) -> bool {
        self.is_for_the_place_of(asked) && asked.scopes.covers(&self.scopes)
    }

    fn is_for_the_place_of(&self, asked: &Transaction) -> bool {
        let uris = (RedirectUri::parse(&asked.redirect_uri), RedirectUri::parse(&self.redirect_uri));
        self.resource == asked.resource
            && matches!(uris, (Ok(asked), Ok(approved)) if asked.equals_registered(&approved))
    }

    fn is_of(&self, user: &str) -> bool {
        same(&self.user, user)
    }

    fn has_expired(&self, now: u64) -> bool {
        self.given.saturating_add(LIFETIME.as_secs()) <= now
    }
}

impl OAuth {
    /// Whether the person need not be asked before Cognito: somebody approved just this in this browser.
    pub(super) async fn need_not_ask(
        &self,
        request: &OAuthRequest,
        asked: &Parameters,
        (browser, transaction): (&Browser, &Transaction),
    ) -> bool {
        request.method == Method::GET
            && !asked.value("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent"))
            && is_wanted(&request.headers)
            && is_assured(transaction, &request.headers)
            && self.approvals(browser, &transaction.client).await.iter().any(|one| one.covers(transaction))
    }

    /// Whether this very user approved just this in this browser, and has not withdrawn it since.
    pub(super) async fn has_approved(
        &self,
        user: &User,
        (browser, transaction): (&Browser, &Transaction),
    ) -> bool {
        let name = user_hash(user);
        let approvals = self.approvals(browser, &transaction.client).await;
        let given = approvals.iter().filter(|one| one.is_of(&name) && one.covers(transaction));
        let Some(newest) = given.map(|one| one.given).max() else { return false };
        let mark = withdrawn_key(user, &transaction.client);
        match self.records.read::<u64>(Purpose::Approval, &mark).await {
            Ok(None) => true,
            // In the same second counts as before.
            Ok(Some(withdrawn)) => {
                self.seal_anew(&mark, &withdrawn, withdrawn.value).await;
                newest > withdrawn.value
            }
            Err(error) => {
                report(&error);
                false
            }
        }
    }

    /// Remembers that this user approved this. A sign-in does not fail because it cannot be remembered, and of two at the
    /// same time one may be lost: then the user is asked again.
    pub(super) async fn remember_approval(
        &self,
        user: &User,
        (browser, transaction): (&Browser, &Transaction),
    ) {
        if !self.settings.remember_consent {
            return;
        }
        let key = approvals_key(browser, &transaction.client);
        let held = self.records.read::<Vec<Approval>>(Purpose::Approval, &key).await.ok().flatten();
        let (mut approvals, stored) = held.map_or_else(Default::default, |held| (held.value, held.stored));
        let (name, now) = (user_hash(user), self.clock.unix());
        let says_more = |one: &Approval| !one.is_of(&name) || !one.is_covered_by(transaction);
        approvals.retain(|one| !one.has_expired(now) && says_more(one));
        let surplus = (approvals.len() + 1).saturating_sub(MAX_APPROVALS);
        approvals.drain(..surplus);
        approvals.push(Approval {
            user: name,
            redirect_uri: transaction.redirect_uri.clone(),
            scopes: transaction.scopes.clone(),
            resource: transaction.resource.clone(),
            given: now,
        });
        // A swap, so that what a "no" has deleted meanwhile does not come back.
        let written = if stored.is_empty() {
            self.records.write(Purpose::Approval, &key, &approvals, LIFETIME).await.map(|()| true)
        } else {
            self.records.swap(Purpose::Approval, &key, (&stored, &approvals), LIFETIME).await
        };
        match written {
            Ok(true) => {}
            Ok(false) => tracing::debug!("approval not remembered: another was written at the same time"),
            Err(error) => report(&error),
        }
    }

    /// Forgets all that was approved for this client in this browser: the person said no.
    pub(super) async fn forget_approvals(
        &self,
        browser: &Browser,
        client: &ClientId,
    ) -> Result<(), OAuthError> {
        if self.settings.remember_consent {
            self.records.store().delete(&approvals_key(browser, client)).await?;
        }
        Ok(())
    }

    /// Lets nothing count any more that this user approved for this client so far, in whatever browser: the session was
    /// given back, or somebody else may have it.
    pub(super) async fn withdraw_approvals(&self, user: &User, client: &ClientId) -> Result<(), OAuthError> {
        if !self.settings.remember_consent {
            return Ok(());
        }
        let key = withdrawn_key(user, client);
        self.records.write(Purpose::Approval, &key, &self.clock.unix(), LIFETIME).await
    }

    /// What counts of the approvals for this client in this browser, as far as can be told before a sign-in.
    async fn approvals(&self, browser: &Browser, client: &ClientId) -> Vec<Approval> {
        if !self.settings.remember_consent {
            return Vec::new();
        }
        let key = approvals_key(browser, client);
        let held = match self.records.read::<Vec<Approval>>(Purpose::Approval, &key).await {
            Ok(Some(held)) => held,
            Ok(None) => return Vec::new(),
            Err(error) => {
                report(&error);
                return Vec::new();
            }
        };
        let newest = held.value.iter().map(|one| one.given).max().unwrap_or_default();
        self.seal_anew(&key, &held, newest).await;
        let now = self.clock.unix();
        let mut approvals = held.value;
        approvals.retain(|one| !one.has_expired(now));
        approvals
    }

    /// Seals a record with the current key, so that the old one can go. It ends when it would have, counted from when it
    /// was written (unix seconds). Best effort: the old key still opens it.
    async fn seal_anew<T: Serialize>(&self, key: &str, held: &Held<T>, written: u64) {
        if held.current {
            return;
        }
        let left = written.saturating_add(LIFETIME.as_secs()).saturating_sub(self.clock.unix());
        let anew = (&held.stored, &held.value);
        if let Err(error) = self.records.swap(Purpose::Approval, key, anew, Duration::from_secs(left)).await {
            tracing::warn!(reason = error.reason(), "an approval was not sealed with the current key");
        }
    }
}

/// Whether a person opened the address, and not a browser that loads ahead.
fn is_wanted(headers: &HeaderMap) -> bool {
    !["sec-purpose", "purpose"].iter().any(|name| headers.contains_key(*name))
}

/// Whether the request can be taken for one of the very client that was approved (RFC 6749 section 10.2). Where the answer
/// goes to an https URL, only its owner gets it. Any program can listen on a loopback port or claim a scheme of its own
/// (RFC 8252 section 8.6): there the client must have an id that others do not know, which a metadata document's URL is
/// not, and the page must have been opened from outside the browser, not by a web page.
fn is_assured(transaction: &Transaction, headers: &HeaderMap) -> bool {
    match RedirectUri::parse(&transaction.redirect_uri) {
        // Whoever writes `state` chooses who gets the code.
        Ok(uri) if uri.forwards() => false,
        Ok(uri) if uri.is_local() => {
            let opened_by_a_page =
                headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin");
            !transaction.client.as_str().starts_with("https://") && !opened_by_a_page
        }
        Ok(_) => true,
        Err(_) => false,
    }
}

fn report(error: &OAuthError) {
    tracing::warn!(reason = error.reason(), "approvals cannot be read or written: people are asked again");
}

fn user_hash(user: &User) -> String {
    fingerprint(&format!("{}\n{}", user.issuer, user.subject))
}

fn approvals_key(browser: &Browser, client: &ClientId) -> String {
    names::approvals(&fingerprint(&format!("{}\n{client}", browser.id())))
}

fn withdrawn_key(user: &User, client: &ClientId) -> String {
    names::withdrawn(&fingerprint(&format!("{}\n{}\n{client}", user.issuer, user.subject)))
}
