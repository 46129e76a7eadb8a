//! Errors a model can act on: a code from a closed list, a sentence, and the way out.

use serde_json::json;

use super::TOOLS;
use crate::plane::PlaneError;

/// The hint where the usual one would name a tool that is not offered here.
const UNAIDED: &str =
    "No tool offered here helps. Ask the user for the exact name or id, or tell them what is missing.";

/// What went wrong, as a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// An argument is missing, unknown or wrong.
    ArgumentInvalid,
    /// This way of signing in cannot do this.
    CredentialUnsupported,
    /// Plane does not take the credential.
    CredentialRejected,
    /// Plane knows the caller as somebody else.
    IdentityMismatch,
    /// The caller may not see this.
    PermissionDenied,
    /// Plane's limit for this caller is reached.
    RateLimited,
    /// Plane cannot be reached or fails.
    Unavailable,
    /// Plane answered something nobody foresaw.
    Unexpected,
    /// No such project for this caller.
    ProjectNotFound,
    /// No such cycle for this caller.
    CycleNotFound,
    /// No such label in the project.
    LabelNotFound,
    /// No such person in the workspace or project.
    MemberNotFound,
    /// No such module for this caller.
    ModuleNotFound,
    /// Nobody said which project.
    ProjectRequired,
    /// No such state in the project.
    StateNotFound,
    /// No such work item for this caller.
    WorkItemNotFound,
    /// No such workspace for this caller.
    WorkspaceNotFound,
    /// Nobody said which workspace.
    WorkspaceRequired,
}

impl Code {
    /// The code as the model and the metrics see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ArgumentInvalid => "argument.invalid",
            Self::CredentialUnsupported => "credential.unsupported",
            Self::CredentialRejected => "credential.rejected",
            Self::IdentityMismatch => "identity.mismatch",
            Self::PermissionDenied => "permission.denied",
            Self::RateLimited => "plane.rate_limited",
            Self::Unavailable => "plane.unavailable",
            Self::Unexpected => "plane.unexpected",
            Self::ProjectNotFound => "project.not_found",
            Self::CycleNotFound => "cycle.not_found",
            Self::LabelNotFound => "label.not_found",
            Self::MemberNotFound => "member.not_found",
            Self::ModuleNotFound => "module.not_found",
            Self::ProjectRequired => "project.required",
            Self::StateNotFound => "state.not_found",
            Self::WorkItemNotFound => "work_item.not_found",
            Self::WorkspaceNotFound => "workspace.not_found",
            Self::WorkspaceRequired => "workspace.required",
        }
    }

    /// What kind of step leads out.
    fn reason(self) -> &'static str {
        match self {
            Self::ArgumentInvalid => "correct_arguments",
            Self::ProjectRequired | Self::WorkspaceRequired => "add_argument",
            Self::CycleNotFound
            | Self::LabelNotFound
            | Self::MemberNotFound
            | Self::ModuleNotFound
            | Self::ProjectNotFound
            | Self::StateNotFound
            | Self::WorkItemNotFound
            | Self::WorkspaceNotFound => "look_up",
            Self::RateLimited | Self::Unavailable => "retry_later",
            Self::CredentialRejected | Self::IdentityMismatch => "sign_in_again",
            Self::CredentialUnsupported | Self::PermissionDenied | Self::Unexpected => "ask_a_person",
        }
    }

    /// Tools that help.
    fn tools(self) -> &'static [&'static str] {
        match self {
            Self::WorkspaceRequired | Self::WorkspaceNotFound => &["list_workspaces"],
            Self::ProjectNotFound | Self::ProjectRequired => &["list_projects"],
            Self::CycleNotFound => &["list_cycles"],
            Self::LabelNotFound => &["list_labels"],
            Self::MemberNotFound => &["list_members"],
            Self::ModuleNotFound => &["list_modules"],
            Self::StateNotFound => &["list_states"],
            Self::WorkItemNotFound => &["search_work_items", "list_work_items"],
            Self::ArgumentInvalid
            | Self::CredentialUnsupported
            | Self::CredentialRejected
            | Self::IdentityMismatch
            | Self::PermissionDenied
            | Self::RateLimited
            | Self::Unavailable
            | Self::Unexpected => &[],
        }
    }

    fn usual_hint(self) -> &'static str {
        match self {
            Self::ArgumentInvalid => "Correct the argument and call again.",
            Self::CredentialUnsupported => "Sign in with the identity provider instead of an API key.",
            Self::CredentialRejected => "The user has to sign in again, or use a valid API key.",
            Self::IdentityMismatch => {
                "Do not go on. The user should sign in again and tell the administrator."
            }
            Self::PermissionDenied => "Tell the user that they lack access; a project admin can grant it.",
            Self::RateLimited => {
                "Wait, then call again; ask for more per call rather than calling more often."
            }
            Self::Unavailable => "Wait a little and call again once; then tell the user that Plane is down.",
            Self::Unexpected => "Calling again will not help. Tell the user.",
            Self::ProjectNotFound => "Use list_projects and pass an identifier or id it shows.",
            Self::ProjectRequired => "Use list_projects, then pass an identifier it shows as project.",
            Self::CycleNotFound => "Use list_cycles and pass a name or id it shows.",
            Self::LabelNotFound => "Use list_labels and pass a name or id it shows.",
            Self::MemberNotFound => "Use list_members and pass a name, e-mail or id it shows, or \"me\".",
            Self::ModuleNotFound => "Use list_modules and pass a name or id it shows.",
            Self::StateNotFound => "Use list_states and pass a name or id it shows.",
            Self::WorkItemNotFound => "Use search_work_items, or check the identifier.",
            Self::WorkspaceNotFound => {
                "Use list_workspaces and pass one of its slugs; upper and lower case differ."
            }
            Self::WorkspaceRequired => "Use list_workspaces, then pass one of its slugs as workspace_slug.",
        }
    }
}

/// A tool call that failed in a way the model should see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// One or two sentences about this case.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Failure {
    /// A failure with its code's usual way out.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: code.usual_hint().to_owned() }
    }

    /// A wrong argument.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::of(Code::ArgumentInvalid, message)
    }

    /// The client was not granted the scope a tool needs.
    pub fn scope_missing(scope: &str) -> Self {
        Self {
            hint: format!("The user has to connect this client again and grant it {scope}."),
            ..Self::of(Code::PermissionDenied, format!("This client was not granted the scope {scope}."))
        }
    }

    /// The object the model reads. It names only tools that are `offered`.
    pub fn to_json(&self, offered: impl Fn(&str) -> bool) -> String {
        let tools: Vec<&str> = self.code.tools().iter().copied().filter(|tool| offered(tool)).collect();
        let words = self.hint.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        let missing = |word: &str| TOOLS.iter().any(|entry| entry.name == word) && !offered(word);
        let hint = if words.into_iter().any(missing) { UNAIDED } else { self.hint.as_str() };
        let recovery = json!({"reason": self.code.reason(), "tools": tools, "hint": hint});
        json!({"code": self.code.as_str(), "message": self.message, "recovery": recovery}).to_string()
    }
}

/// The failures that mean the same wherever they happen. Tools turn `Forbidden` and `NotFound` into something more
/// exact before this, because Plane uses them for several things.
impl From<PlaneError> for Failure {
    fn from(error: PlaneError) -> Self {
        match error {
            PlaneError::Unreachable(_) => Self::of(Code::Unavailable, "Plane cannot be reached."),
            PlaneError::TimedOut => Self::of(Code::Unavailable, "Plane did not answer in time."),
            PlaneError::Unavailable(_) => Self::of(Code::Unavailable, "Plane answered with a server error."),
            PlaneError::RateLimited { retry_after } => {
                let seconds = retry_after.as_secs().max(1);
                Self {
                    hint: format!("Wait {seconds} seconds, then call again; ask for more per call."),
                    ..Self::of(Code::RateLimited, "Plane's request limit for this user is reached.")
                }
            }
            PlaneError::IdentityRefused(_) | PlaneError::NotSignedIn => Self {
                hint: "The user should sign in again. If that does not help, this Plane does not take signed-in \
                    users here, and its administrator has to know."
                    .to_owned(),
                ..Self::of(Code::CredentialRejected, "Plane did not accept the signed-in user here.")
            },
            PlaneError::WrongUser => {
                Self::of(Code::IdentityMismatch, "Plane knows the signed-in user as somebody else.")
            }
            PlaneError::KeysNeeded => Self {
                hint: "Tell the user that the administrator has to let the Plane adapter make API keys \
                    (plane.api_url, plane.key_minting). Until then only an API key of their own works."
                    .to_owned(),
                ..Self::of(Code::CredentialUnsupported, "This Plane takes only API keys for this.")
            },
            PlaneError::MintingRefused(_) => Self {
                hint: "Tell the user to open Plane in a browser once and sign in there. If that does not help, its \
                    administrator has to know that users cannot make API keys."
                    .to_owned(),
                ..Self::of(
                    Code::CredentialRejected,
                    "This Plane takes only API keys for this, and gave the user none.",
                )
            },
            PlaneError::KeyRefused => Self::of(
                Code::CredentialRejected,
                "Plane does not accept this API key: unknown, expired or revoked.",
            ),
            PlaneError::Forbidden => {
                Self::of(Code::PermissionDenied, "Plane does not let this user see that.")
            }
            PlaneError::NotFound | PlaneError::NoEndpoint => {
                Self::of(Code::Unexpected, "This Plane does not have what the tool needs.")
            }
            PlaneError::BadRequest(said) if said.is_empty() => Self::argument("Plane refused the arguments."),
            PlaneError::BadRequest(said) => Self::argument(format!("Plane refused the arguments: {said}")),
            PlaneError::TooLarge => Self {
                hint: "Ask for less: a smaller per_page, or fewer fields.".to_owned(),
                ..Self::of(Code::Unexpected, "Plane's answer is too large.")
            },
            PlaneError::Unexpected(_) => Self::of(Code::Unexpected, "Plane answered in an unexpected way."),
        }
    }
}
