//! The names of everything that is stored, in one place, so that no two kinds of record can meet.
//!
//! Text that a client chose never stands in a name as it is: ids are checked by their types, codes and states are
//! hashed or made by us.

/// Sealed session `sid`.
#[must_use]
pub fn session(sid: &str) -> String {
    format!("session:{sid}")
}

/// Lock of whoever refreshes session `sid`.
#[must_use]
pub fn refresh_lock(sid: &str) -> String {
    format!("lock:session:{sid}")
}

/// Sealed grant of session `sid`: its refresh token family.
#[must_use]
pub fn grant(sid: &str) -> String {
    format!("grant:{sid}")
}

/// Registered client `id`.
#[must_use]
pub fn client(id: &str) -> String {
    format!("client:{id}")
}

/// Authorization code, by its hash.
#[must_use]
pub fn code(hash: &str) -> String {
    format!("code:{hash}")
}

/// Mark of an authorization code that was redeemed, by its hash.
#[must_use]
pub fn spent_code(hash: &str) -> String {
    format!("spent:{hash}")
}

/// Sign-in under way at Cognito, by its `state`.
#[must_use]
pub fn sign_in(state: &str) -> String {
    format!("signin:{state}")
}

/// Approvals given to one client in one browser, by the hash of both.
#[must_use]
pub fn approvals(hash: &str) -> String {
    format!("approvals:{hash}")
}

/// When a user last withdrew what they had approved for a client, by the hash of both.
#[must_use]
pub fn withdrawn(hash: &str) -> String {
    format!("withdrawn:{hash}")
}

/// Name of the session that began with one sign-in at Cognito, by the hash of issuer and `origin_jti`.
#[must_use]
pub fn session_of_origin(hash: &str) -> String {
    format!("origin:{hash}")
}

/// Name of a user's latest session at a resource, by the hash of issuer, `sub` and resource.
#[must_use]
pub fn session_of_subject(hash: &str) -> String {
    format!("subject:{hash}")
}

/// What is remembered of session `sid`: sealed, and kept for a while after its end.
#[must_use]
pub fn history(sid: &str) -> String {
    format!("history:{sid}")
}

/// When and why session `sid` was ended before its time; sealed.
#[must_use]
pub fn ending(sid: &str) -> String {
    format!("ending:{sid}")
}

/// The latest sessions of a person, by the keyed hash of their name; sealed.
#[must_use]
pub fn sessions_of(mac: &str) -> String {
    format!("sessions-of:{mac}")
}

/// Uses of something that has a rate: what, and by whom.
#[must_use]
pub fn rate(what: &str, by: &str) -> String {
    format!("rate:{what}:{by}")
}

/// Channel on which the ids of ended sessions are told.
pub const ENDED: &str = "ended";
