//! People: the caller, and members of workspaces and projects.

use serde::Deserialize;

/// A person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// UUID.
    pub id: Option<String>,
    /// Name shown in Plane.
    pub display_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The address Plane knows the person by.
    pub email: Option<String>,
    /// 20 admin, 15 member, 5 guest; set in lists of a workspace's members only.
    pub role: Option<u32>,
}

impl User {
    /// First and last name as people write them, if there are any.
    pub fn full_name(&self) -> Option<String> {
        let parts = [self.first_name.as_deref(), self.last_name.as_deref()];
        let parts: Vec<&str> =
            parts.into_iter().flatten().map(str::trim).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}
