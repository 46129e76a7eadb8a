//! The caller.

use std::time::Duration;

use serde::Serialize;

use super::{Action, Call, Code, Entry, Failure, READ, kept};
use crate::caller::Credential;
use crate::plane::PlaneError;
use crate::plane::path::{Path, Uuid};
use crate::plane::shapes::User;

/// `get_me`
pub(super) const GET_ME: Entry = Entry {
    name: "get_me",
    title: "Who am I",
    description: "The user these tools act as, whose own items are those of assignee \"me\": id, names, e-mail.",
    parameters: &[],
    scope: READ,
    action: Action::GetMe,
};

/// The caller as Plane knows them.
#[derive(Debug, Serialize)]
pub(super) struct Me {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The name signed in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
}

/// Asks Plane who the caller is.
pub(super) async fn me(call: &Call<'_>) -> Result<Me, Failure> {
    let username = match &call.caller.credential {
        Credential::Identity(identity) => Some(identity.username.clone()),
        Credential::ApiKey(_) => None,
    };
    Ok(Me::of(user(call, Duration::ZERO).await?, username))
}

/// The caller's id in Plane.
pub(super) async fn id(call: &Call<'_>) -> Result<Uuid, Failure> {
    let user = user(call, kept::KEEP).await?;
    let unknown = || Failure::of(Code::Unexpected, "Plane did not say who the user is.");
    user.id.as_deref().and_then(Uuid::parse).ok_or_else(unknown)
}

/// The caller as Plane knows them, making sure that Plane means the user who signed in.
async fn user(call: &Call<'_>, keep: Duration) -> Result<User, Failure> {
    let Credential::Identity(identity) = &call.caller.credential else {
        return Ok(ask(call, Path::v1("users/me/"), keep).await?);
    };
    for _ in 0..2 {
        let user = ask(call, Path::app("users/me/"), keep).await?;
        if identity.is_known_as(user.email.as_deref().unwrap_or_default()) {
            return Ok(user);
        }
        // Perhaps only the session is somebody else's.
        call.plane.forget_session(call.caller).await;
    }
    tracing::error!(request.id = call.caller.origin.request_id, "plane knows the caller as another user");
    Err(Failure::of(Code::IdentityMismatch, "Plane knows the signed-in user as somebody else."))
}

async fn ask(call: &Call<'_>, path: Path, keep: Duration) -> Result<User, PlaneError> {
    if keep.is_zero() {
        call.plane.ask(call.caller, path).await
    } else {
        call.plane.ask_kept(call.caller, path, keep).await
    }
}

impl Me {
    fn of(user: User, username: Option<String>) -> Self {
        let kept = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            id: kept(user.id),
            display_name: kept(user.display_name),
            first_name: kept(user.first_name),
            last_name: kept(user.last_name),
            email: kept(user.email),
            username,
        }
    }
}
