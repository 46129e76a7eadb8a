//! What the demo says.

use std::fmt::Write;

use super::{Findings, USER};
use crate::{cognito::CognitoDouble, stack::Stack};

/// What runs where.
#[must_use]
pub fn started(stack: &Stack) -> String {
    format!(
        "MCP Edge demo: everything runs on this machine, sessions are kept in memory.\n\n\
         \x20 edge      {}/mcp\n\
         \x20 Cognito   {} (double)\n\
         \x20 adapter   {}\n\
         \x20 Plane     {} (double), behind its front {}\n",
        stack.origin(),
        stack.cognito.domain_url(),
        stack.adapter.endpoint,
        stack.plane.url(),
        stack.plane.front_url(),
    )
}

/// What the scripted client found.
#[must_use]
pub fn findings(found: &Findings) -> String {
    let mut text = format!(
        "A client registers, {USER} approves it, signs in at Cognito, and the client calls tools:\n\n"
    );
    let plane_users = found.plane_users.join(", ");
    let lines = [
        ("Cognito says I am", format!("{} <{}>", found.cognito_user, found.cognito_email)),
        ("the client holds", format!("a token of {} for {}", found.token_issuer, found.token_audience)),
        ("tools/list", found.tools.join(", ")),
        ("get_me", found.me.clone()),
        ("list_projects", found.projects.join(", ")),
        ("list_work_items", shortened(&found.work_items)),
        ("Plane saw", format!("{plane_users}, in {} requests", found.plane_requests)),
        ("Plane saw the client's token", yes_or_no(found.token_leaked)),
        ("same user", yes_or_no(found.same_user())),
    ];
    for (name, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<30} {value}", format!("{name}:"));
    }
    text
}

/// How to connect real clients.
#[must_use]
pub fn how_to_connect(stack: &Stack) -> String {
    let url = format!("{}/mcp", stack.origin());
    let ca = stack.authority.file();
    let ca = ca.display();
    let password = CognitoDouble::PASSWORD;
    format!(
        "It stays up until Ctrl-C. Sign in as {USER} or bob, password {password}.\n\
         The certificate is made up; clients must be told to trust its authority, {ca}\n\n\
         \x20 Claude Code   claude mcp add --transport http plane-demo {url}\n\
         \x20               NODE_EXTRA_CA_CERTS={ca} claude      (then /mcp to sign in)\n\
         \x20 Cursor        .cursor/mcp.json: {{ \"mcpServers\": {{ \"plane-demo\": {{ \"url\": \"{url}\" }} }} }}\n\
         \x20               NODE_EXTRA_CA_CERTS={ca} cursor .\n\
         \x20 mcp-remote    NODE_EXTRA_CA_CERTS={ca} npx mcp-remote@0.15.1 {url}\n\
         \x20 Python SDK    SSL_CERT_FILE={ca}\n"
    )
}

fn shortened(names: &[String]) -> String {
    let short = names.iter().map(|name| {
        let start: String = name.chars().take(36).collect();
        if start == *name { start } else { format!("{start}…") }
    });
    short.collect::<Vec<_>>().join("; ")
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
