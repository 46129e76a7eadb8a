//! The lists names come from, each asked of the endpoint that has it.

use std::collections::HashSet;

use super::Names;
use crate::caller::Credential;
use crate::plane::PlaneError;
use crate::plane::path::Path;
use crate::plane::shapes::planning::{Cycle, Module};
use crate::plane::shapes::project::{Label, State};
use crate::plane::shapes::{Project, User};
use crate::tools::projects::{self, Named};
use crate::tools::{Code, Failure, kept, workspaces};

impl Names<'_> {
    pub(super) async fn list_states(&self) -> Result<Vec<State>, Failure> {
        let Some(project) = self.project else {
            return self.of_workspace("states/", |state: &State| state.project_id.as_deref()).await;
        };
        self.of_project(project, "states/", "id,name,group").await
    }

    pub(super) async fn list_labels(&self) -> Result<Vec<Label>, Failure> {
        let Some(project) = self.project else {
            return self.of_workspace("labels/", |label: &Label| label.project_id.as_deref()).await;
        };
        self.of_project(project, "labels/", "id,name").await
    }

    pub(super) async fn list_cycles(&self) -> Result<Vec<Cycle>, Failure> {
        let Some(project) = self.project else {
            return self.of_workspace("cycles/", Cycle::project_id).await;
        };
        self.of_project(project, "cycles/", "id,name,start_date,end_date").await
    }

    pub(super) async fn list_modules(&self) -> Result<Vec<Module>, Failure> {
        let Some(project) = self.project else {
            return self.of_workspace("modules/", Module::project_id).await;
        };
        self.of_project(project, "modules/", "id,name").await
    }

    /// People to name: the workspace's members where the caller may see them, else those of the project.
    pub(super) async fn list_members(&self) -> Result<Vec<User>, Failure> {
        let Some(project) = self.project else { return self.members_of_workspace().await };
        // Guests are refused the workspace's list; asking for it would only cost them a request.
        let joined = self.joined(project).await?;
        if joined.is_some_and(|project| project.member_role == Some(workspaces::GUEST)) {
            return self.members_of_project(project).await;
        }
        match self.members_of_workspace().await {
            Err(Failure { code: Code::PermissionDenied, .. }) => self.members_of_project(project).await,
            answer => answer,
        }
    }

    /// The members of the workspace, with their roles in it.
    pub(in crate::tools) async fn members_of_workspace(&self) -> Result<Vec<User>, Failure> {
        let path = Path::workspace(self.slug).literal("members/");
        match kept::bare_rows(self.call, path).await {
            Ok(rows) => Ok(rows),
            Err(PlaneError::Forbidden) => Err(self.members_refused().await),
            Err(error) => Err(workspaces::failure(error, self.slug)),
        }
    }

    /// The members of a project, which are asked for only as one of them.
    pub(in crate::tools) async fn members_of_project(&self, project: &Named) -> Result<Vec<User>, Failure> {
        if self.joined(project).await?.is_none() {
            return Err(projects::outside(self.call, self.slug, project).await);
        }
        let path = Path::project(self.slug, &project.id).literal("members/");
        match kept::bare_rows(self.call, path).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(projects::failure(self.call, error, self.slug, project).await),
        }
    }

    /// The project, if the caller has joined it.
    async fn joined(&self, project: &Named) -> Result<Option<Project>, Failure> {
        let known = projects::known(self.call, self.slug).await?;
        let is_it = |known: &Project| known.id.as_deref() == Some(project.id.as_str());
        Ok(known.into_iter().find(|known| is_it(known) && known.is_member == Some(true)))
    }

    /// Plane's 403 for the members of a workspace stands for guests and for strangers; who sees its projects is a guest.
    async fn members_refused(&self) -> Failure {
        match projects::known(self.call, self.slug).await {
            Ok(_) => Failure {
                hint: "Name a project: the members of a project the user has joined can be listed."
                    .to_owned(),
                ..Failure::of(Code::PermissionDenied, "Guests cannot see the members of a workspace.")
            },
            Err(failure) => failure,
        }
    }

    async fn of_project<T: serde::de::DeserializeOwned>(
        &self,
        project: &Named,
        list: &'static str,
        fields: &str,
    ) -> Result<Vec<T>, Failure> {
        let path = || Path::project(self.slug, &project.id).literal(list).query("fields", fields);
        match kept::rows(self.call, path).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(projects::failure(self.call, error, self.slug, project).await),
        }
    }

    /// A list of the web application's API, which covers the workspace: the rows of projects the caller has joined and
    /// the operator shows.
    async fn of_workspace<T: serde::de::DeserializeOwned>(
        &self,
        list: &'static str,
        project_of: impl Fn(&T) -> Option<&str>,
    ) -> Result<Vec<T>, Failure> {
        if let Credential::ApiKey(_) = self.call.caller.credential {
            return Err(Failure::of(
                Code::ProjectRequired,
                "With an API key this works in one project only.",
            ));
        }
        let known = projects::known(self.call, self.slug).await?;
        let joined = known.into_iter().filter(|project| project.is_member == Some(true));
        let joined: HashSet<String> = joined.filter_map(|project| project.id).collect();
        let path = Path::app("workspaces/").part(self.slug.as_str()).literal(list);
        let mut rows: Vec<T> =
            kept::bare_rows(self.call, path).await.map_err(|error| workspaces::failure(error, self.slug))?;
        rows.retain(|row| project_of(row).is_some_and(|id| joined.contains(id)));
        Ok(rows)
    }
}
