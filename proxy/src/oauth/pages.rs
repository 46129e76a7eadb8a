//! The two pages people see. All text in them is escaped by the templates; nothing is loaded and nothing runs.

use askama::Template;

use super::OFFLINE_ACCESS;
use super::error::{ErrorCode, OAuthError};
use super::opaque::opaque;

/// A rendered page, with the nonce its style is allowed by.
#[derive(Debug)]
pub(super) struct Page {
    /// The document.
    pub(super) html: String,
    /// For `style-src 'nonce-…'`.
    pub(super) nonce: String,
}

/// What the consent page shows.
pub(super) struct Consent<'a> {
    /// What the client calls itself, or where it is when it did not say.
    pub(super) client: &'a str,
    /// Where the code goes.
    pub(super) destination: &'a str,
    /// Whether that is a program on the person's own machine.
    pub(super) local: bool,
    /// The host that vouches for the client by the document it is known by; none for one that registered itself.
    pub(super) publisher: Option<&'a str>,
    /// The resource's name.
    pub(super) resource_name: &'a str,
    /// The resource's URL.
    pub(super) resource: &'a str,
    /// What the client may do.
    pub(super) scopes: Vec<Scope<'a>>,
    /// Who is signed in at Cognito, where that is known already.
    pub(super) username: Option<&'a str>,
    /// The sealed request, for the form.
    pub(super) transaction: &'a str,
}

/// A scope on the page.
pub(super) enum Scope<'a> {
    /// In words for people.
    Told(&'static str),
    /// As it is, for want of words.
    Bare(&'a str),
}

impl<'a> Scope<'a> {
    /// How a scope is shown.
    pub(super) fn new(scope: &'a str) -> Self {
        match scope {
            "plane:read" => Self::Told("Read what you can see in Plane"),
            OFFLINE_ACCESS => Self::Told("Stay signed in"),
            _ => Self::Bare(scope),
        }
    }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    nonce: &'a str,
    page: &'a Consent<'a>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    nonce: &'a str,
    title: &'a str,
    /// A sentence without its period.
    message: &'a str,
    reason: &'a str,
}

/// Renders the consent page.
pub(super) fn consent(page: &Consent<'_>) -> Result<Page, OAuthError> {
    let nonce = opaque::<16>();
    let html = ConsentPage { nonce: &nonce, page }
        .render()
        .map_err(|error| OAuthError::server_error("page_unrenderable", error))?;
    Ok(Page { html, nonce })
}

/// Renders an error.
pub(super) fn error(error: &OAuthError) -> Page {
    let title = match error.code() {
        ErrorCode::TemporarilyUnavailable => "Please try again in a moment",
        ErrorCode::AccessDenied => "Access was denied",
        _ => "This sign-in cannot go on",
    };
    let nonce = opaque::<16>();
    let message = sentence_case(error.description());
    let page = ErrorPage { nonce: &nonce, title, message: &message, reason: error.reason() };
    // The template has nothing that can fail; if it did, the bare sentence would still be shown.
    let html = page.render().unwrap_or_else(|_| error.description().to_owned());
    Page { html, nonce }
}

/// Descriptions are lower case for machines; people read sentences.
fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
