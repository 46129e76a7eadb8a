//! Step 2. Which part of us, or which upstream, a path belongs to: a pure table look-up.

use std::sync::Arc;

use crate::{
    config::Route,
    error::Error,
    oauth::{Endpoint, OAuth},
};

/// Where the public listener says that it answers.
pub(super) const HEALTH: &str = "/healthz";

/// What answers a request.
#[derive(Debug)]
pub enum Target {
    /// `/healthz`: we are up.
    Health,
    /// One of the authorization server's endpoints.
    OAuth(Endpoint),
    /// A protected route.
    Upstream(Arc<Route>),
}

impl Target {
    /// The target's name in logs and metrics: a closed list.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Health => "healthz",
            Self::OAuth(endpoint) => endpoint.label(),
            Self::Upstream(route) => &route.path,
        }
    }
}

/// Looks the path up. `routes` is sorted, longest path first.
///
/// # Errors
/// [`Error::NoRoute`].
pub fn route(path: &str, oauth: &OAuth, routes: &[Arc<Route>]) -> Result<Target, Error> {
    if path == HEALTH {
        return Ok(Target::Health);
    }
    if let Some(endpoint) = oauth.endpoint(path) {
        return Ok(Target::OAuth(endpoint));
    }
    let route = routes.iter().find(|route| is_within(path, &route.path)).ok_or(Error::NoRoute)?;
    Ok(Target::Upstream(Arc::clone(route)))
}

/// Whether `path` is `prefix` or below it; `/mcpx` is not below `/mcp`.
fn is_within(path: &str, prefix: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_ends_at_a_segment() {
        assert!(is_within("/mcp", "/mcp") && is_within("/mcp/", "/mcp") && is_within("/mcp/a", "/mcp"));
        assert!(!is_within("/mcpx", "/mcp") && !is_within("/MCP", "/mcp"));
        assert!(is_within("/anything", "/"));
    }
}
