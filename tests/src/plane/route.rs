//! Plane's URL table: from a path to what is asked for.

use super::app::route::Place;

/// One endpoint with the ids in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/api/instances/`, open to everybody.
    Instance,
    /// App API: `/api/users/…` and `/api/workspaces/…`, session only.
    App(App),
    /// `/api/v1/users/me/`
    Me,
    /// `/api/v1/workspaces/{slug}/`, session only although it is in v1.
    WorkspaceDetail { slug: String },
    /// `/api/v1/workspaces/{slug}/…`
    Workspace { slug: String, part: WorkspacePart },
    /// `/api/v1/workspaces/{slug}/projects/{project}/…`
    Project { slug: String, project: String, part: ProjectPart },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum App {
    Me,
    Workspaces,
    ApiTokens,
    ApiToken(String),
    /// Something in a workspace.
    In(Place),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkspacePart {
    Projects,
    Members,
    Invitations,
    Stickies(Option<String>),
    Search,
    /// `work-items/{project}-{number}/`, split at the last hyphen; neither half is checked by the route.
    ByIdentifier {
        project: String,
        number: String,
    },
}

/// `None` in a variant asks for the list, an id for one row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProjectPart {
    Detail,
    Summary,
    Members,
    Member,
    States(Option<String>),
    Labels(Option<String>),
    WorkItems(Option<String>),
    Attached {
        item: String,
        kind: Attached,
        id: Option<String>,
    },
    Relations {
        item: String,
    },
    Attachments {
        item: String,
    },
    Cycles(Option<String>),
    CycleLink {
        cycle: String,
        item: String,
    },
    Modules(Option<String>),
    /// The work items of a cycle or a module.
    Grouped {
        group: String,
    },
    ArchivedCycles,
    ArchivedModules,
    Intake(Option<String>),
}

/// What hangs on a work item and is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Comments,
    Links,
    Activities,
}

/// Whether this is a UUID as Django's path converter takes it: lower case only.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

impl Route {
    /// The endpoint of a path; none where Plane has no route. The path is decoded first, so an encoded slash separates too.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = decoded(path)?;
        let inner = path.strip_prefix("/api/")?.strip_suffix('/')?;
        let segments: Vec<&str> = inner.split('/').collect();
        if segments.contains(&"") {
            return None;
        }
        match *segments.as_slice() {
            ["instances"] => Some(Self::Instance),
            ["users", "me"] => Some(Self::App(App::Me)),
            ["users", "me", "workspaces"] => Some(Self::App(App::Workspaces)),
            ["users", "api-tokens"] => Some(Self::App(App::ApiTokens)),
            ["users", "api-tokens", id] if is_uuid(id) => Some(Self::App(App::ApiToken(id.to_owned()))),
            ["v1", "users", "me"] => Some(Self::Me),
            ["v1", "workspaces", slug] => Some(Self::WorkspaceDetail { slug: slug.to_owned() }),
            ["v1", "workspaces", slug, "projects", project, ref rest @ ..] if is_uuid(project) => {
                let part = ProjectPart::of(rest)?;
                Some(Self::Project { slug: slug.to_owned(), project: project.to_owned(), part })
            }
            ["v1", "workspaces", slug, ref rest @ ..] => {
                Some(Self::Workspace { slug: slug.to_owned(), part: WorkspacePart::of(rest)? })
            }
            _ => Place::of(&segments).map(|place| Self::App(App::In(place))),
        }
    }
}

impl WorkspacePart {
    fn of(segments: &[&str]) -> Option<Self> {
        match *segments {
            ["projects"] => Some(Self::Projects),
            ["members"] => Some(Self::Members),
            ["invitations"] => Some(Self::Invitations),
            ["stickies"] => Some(Self::Stickies(None)),
            ["stickies", id] if is_uuid(id) => Some(Self::Stickies(Some(id.to_owned()))),
            ["work-items" | "issues", "search"] => Some(Self::Search),
            ["work-items" | "issues", identifier] => {
                let (project, number) = identifier.rsplit_once('-')?;
                (!project.is_empty() && !number.is_empty())
                    .then(|| Self::ByIdentifier { project: project.to_owned(), number: number.to_owned() })
            }
            _ => None,
        }
    }
}

impl ProjectPart {
    fn of(segments: &[&str]) -> Option<Self> {
        let (kind, rest) = match *segments {
            [] => return Some(Self::Detail),
            [kind, ref rest @ ..] => (kind, rest),
        };
        let list = match *rest {
            [] => Some(None),
            [id] if is_uuid(id) => Some(Some(id.to_owned())),
            _ => None,
        };
        match kind {
            "summary" if rest.is_empty() => Some(Self::Summary),
            "archived-cycles" if rest.is_empty() => Some(Self::ArchivedCycles),
            "archived-modules" if rest.is_empty() => Some(Self::ArchivedModules),
            "members" | "project-members" => {
                list.map(|id| if id.is_some() { Self::Member } else { Self::Members })
            }
            "states" => list.map(Self::States),
            "labels" => list.map(Self::Labels),
            "intake-issues" => list.map(Self::Intake),
            "work-items" | "issues" => match list {
                Some(list) => Some(Self::WorkItems(list)),
                None => Self::of_item(rest),
            },
            "cycles" => match list {
                Some(list) => Some(Self::Cycles(list)),
                None => Self::of_group(rest, "cycle-issues"),
            },
            "modules" => match list {
                Some(list) => Some(Self::Modules(list)),
                None => Self::of_group(rest, "module-issues"),
            },
            _ => None,
        }
    }

    /// Below `work-items/{item}/`.
    fn of_item(rest: &[&str]) -> Option<Self> {
        let (item, kind, id) = match *rest {
            [item, kind] if is_uuid(item) => (item, kind, None),
            [item, kind, id] if is_uuid(item) && is_uuid(id) => (item, kind, Some(id.to_owned())),
            _ => return None,
        };
        let kind = match kind {
            "comments" => Attached::Comments,
            "links" => Attached::Links,
            "activities" => Attached::Activities,
            "relations" if id.is_none() => return Some(Self::Relations { item: item.to_owned() }),
            "attachments" | "issue-attachments" if id.is_none() => {
                return Some(Self::Attachments { item: item.to_owned() });
            }
            _ => return None,
        };
        Some(Self::Attached { item: item.to_owned(), kind, id })
    }

    /// Below `cycles/{cycle}/` and `modules/{module}/`.
    fn of_group(rest: &[&str], items: &str) -> Option<Self> {
        match *rest {
            [group, kind] if is_uuid(group) && kind == items => {
                Some(Self::Grouped { group: group.to_owned() })
            }
            [cycle, "cycle-issues", item] if items == "cycle-issues" && is_uuid(cycle) && is_uuid(item) => {
                Some(Self::CycleLink { cycle: cycle.to_owned(), item: item.to_owned() })
            }
            _ => None,
        }
    }
}

/// The percent-decoded path; none when it is not UTF-8 then.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let pair = (ahead.next().and_then(hex_digit), ahead.next().and_then(hex_digit));
        match pair {
            (Some(high), Some(low)) if byte == b'%' => {
                bytes.push(high * 16 + low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
