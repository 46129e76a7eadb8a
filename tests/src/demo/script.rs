//! The scripted client: signs in, calls tools, and compares who it is in three places.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::USER;
use crate::{
    client::{Era, SignedIn},
    stack::Stack,
    trouble::{Outcome, Trouble, While},
};

/// Who somebody is in the three places, and what the tools gave.
#[derive(Debug, Clone)]
pub struct Findings {
    /// `cognito:username` of the ID token that arrived in front of Plane.
    pub cognito_user: String,
    /// `email` of the same token.
    pub cognito_email: String,
    /// `X-Auth-Request-Email` of every request Plane got, each value once.
    pub plane_users: Vec<String>,
    /// How many requests Plane got.
    pub plane_requests: usize,
    /// What `get_me` told the client.
    pub me: String,
    /// The issuer of the token the client holds.
    pub token_issuer: String,
    /// The audience of the token the client holds.
    pub token_audience: String,
    /// Whether that token got any further than the edge.
    pub token_leaked: bool,
    /// The tools offered.
    pub tools: Vec<String>,
    /// The projects seen, by identifier.
    pub projects: Vec<String>,
    /// Some work items of the first project: identifier and name.
    pub work_items: Vec<String>,
}

impl Findings {
    /// Whether it is the same person everywhere.
    #[must_use]
    pub fn same_user(&self) -> bool {
        let one_user = self.plane_users.iter().all(|user| *user == self.cognito_user);
        !self.plane_users.is_empty() && one_user && self.me == self.cognito_email && !self.token_leaked
    }
}

/// Signs in as [`USER`] and calls tools.
///
/// # Errors
/// When a step fails.
pub async fn play(stack: &Stack) -> Outcome<Findings> {
    let session = stack.sign_in(USER).await?;
    let tools = session.tools(Era::Modern).await?;
    let me = session.tool(Era::Modern, "get_me", &json!({})).await?;
    let projects = session.tool(Era::Modern, "list_projects", &json!({})).await?;
    let projects = texts(&projects, |project| text(project, "identifier"));
    let first = projects.first().ok_or_else(|| Trouble::new("no project is visible"))?;
    let arguments = json!({ "project": first, "per_page": 3 });
    let items = session.tool(Era::Modern, "list_work_items", &arguments).await?;
    let work_items = texts(&items, |item| format!("{} {}", text(item, "identifier"), text(item, "name")));
    compare(
        stack,
        &session,
        Findings {
            cognito_user: String::new(),
            cognito_email: String::new(),
            plane_users: Vec::new(),
            plane_requests: 0,
            me: text(&me, "email"),
            token_issuer: String::new(),
            token_audience: String::new(),
            token_leaked: false,
            tools,
            projects,
            work_items,
        },
    )
}

/// Fills in what the other side saw.
fn compare(stack: &Stack, session: &SignedIn, told: Findings) -> Outcome<Findings> {
    let seen = stack.plane.requests();
    let before_plane = stack.plane.front_requests();
    let header = |request: &crate::plane::SeenRequest, name: &str| {
        request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let bearer = before_plane.iter().map(|request| header(request, "authorization")).next_back();
    let id_token = claims(bearer.unwrap_or_default().trim_start_matches("Bearer "))?;
    let access_token = claims(&session.tokens.access)?;
    let mut plane_users: Vec<String> =
        seen.iter().map(|request| header(request, "x-auth-request-email")).collect();
    plane_users.sort();
    plane_users.dedup();
    let everything = format!("{seen:?}{before_plane:?}");
    Ok(Findings {
        cognito_user: text(&id_token, "cognito:username"),
        cognito_email: text(&id_token, "email"),
        plane_users,
        plane_requests: seen.len(),
        token_issuer: text(&access_token, "iss"),
        token_audience: text(&access_token, "aud"),
        token_leaked: everything.contains(&session.tokens.access),
        ..told
    })
}

/// The claims of a token, unverified: only to show them.
fn claims(token: &str) -> Outcome<Value> {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload).while_doing("decode a token")?;
    serde_json::from_slice(&payload).while_doing("read a token")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Something of each row of a list answer, whatever its list is called.
fn texts(answer: &Value, of: impl Fn(&Value) -> String) -> Vec<String> {
    let lists = answer.as_object().into_iter().flat_map(|object| object.values());
    let rows = answer.as_array().or_else(|| lists.into_iter().find_map(Value::as_array));
    rows.into_iter().flatten().map(of).collect()
}
