//! The sample workspace in memory: who there is, what belongs to whom. Rows are JSON as Plane sends them.

use std::collections::HashMap;

use aws_lc_rs::rand;
use serde_json::{Value, json};

/// A membership's weight, in workspaces and in projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees the projects it was added to.
    Guest = 5,
    /// Works in projects.
    Member = 15,
    /// Administers.
    Admin = 20,
}

impl Role {
    /// Plane's number for the role: 5, 15 or 20.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Everything Plane stores.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Newest first, the order in which Plane lists them.
    pub(super) users: Vec<User>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) projects: Vec<Project>,
    /// Newest first.
    pub(super) keys: Vec<ApiKey>,
    /// Session cookie's value to user id.
    pub(super) sessions: HashMap<String, String>,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) active: bool,
    /// When the account was made, as Plane writes times.
    pub(super) joined: String,
}

impl User {
    /// The part before the `@`: user name and display name.
    pub(super) fn name(&self) -> &str {
        self.email.split('@').next().unwrap_or_default()
    }

    /// The row of `/api/v1/users/me/`, of member lists and of expanded user fields.
    pub(super) fn lite(&self) -> Value {
        json!({
            "id": self.id,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "avatar": "",
            "avatar_url": null,
            "display_name": self.name(),
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Workspace {
    pub(super) row: Value,
    pub(super) members: HashMap<String, Role>,
}

impl Workspace {
    pub(super) fn slug(&self) -> &str {
        text(&self.row, "slug")
    }
}

/// A project with all that is in it. Lists are in Plane's default order.
#[derive(Clone, Debug, Default)]
pub(super) struct Project {
    pub(super) row: Value,
    pub(super) members: HashMap<String, Role>,
    pub(super) states: Vec<Value>,
    pub(super) labels: Vec<Value>,
    pub(super) items: Vec<Value>,
    pub(super) cycles: Vec<Cycle>,
    pub(super) archived_cycles: Vec<Value>,
    pub(super) modules: Vec<Value>,
    pub(super) archived_modules: Vec<Value>,
    /// Work item ids by cycle id and by module id, in the order they were made.
    pub(super) grouped: HashMap<String, Vec<String>>,
    pub(super) comments: Vec<Value>,
    pub(super) links: Vec<Value>,
    pub(super) activities: Vec<Value>,
    pub(super) attachments: Vec<Value>,
    /// Relations object by work item id.
    pub(super) relations: HashMap<String, Value>,
    pub(super) intake: Vec<Value>,
}

impl Project {
    pub(super) fn id(&self) -> &str {
        text(&self.row, "id")
    }

    pub(super) fn identifier(&self) -> &str {
        text(&self.row, "identifier")
    }

    /// Secret projects (network 0) do not exist for those who are not members.
    pub(super) fn is_public(&self) -> bool {
        self.row.get("network").and_then(Value::as_i64) == Some(2)
    }
}

/// A cycle and the one `cycle_view` it is in: the captures stand still, the clock does not.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) row: Value,
    pub(super) view: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct ApiKey {
    pub(super) id: String,
    pub(super) token: String,
    pub(super) user: String,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) created: String,
    pub(super) expires: Option<String>,
}

impl ApiKey {
    /// Whether the key's time is over. Times in UTC compare as text.
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.expires.as_deref().is_some_and(|expires| expires.get(..19) <= moment(now).get(..19))
    }
}

impl World {
    pub(super) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn email_of(&self, id: &str) -> Option<String> {
        self.user(id).map(|user| user.email.clone())
    }

    /// The id of the user with this e-mail address, made when there is none: a member of the workspace `acme`.
    pub(super) fn user_or_new(&mut self, email: &str, now: u64) -> String {
        if let Some(user) = self.users.iter().find(|user| user.email == email) {
            return user.id.clone();
        }
        let user = User {
            id: uuid(),
            email: email.to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            active: true,
            joined: moment(now),
        };
        let id = user.id.clone();
        self.users.insert(0, user);
        if let Some(acme) = self.workspaces.iter_mut().find(|workspace| workspace.slug() == "acme") {
            acme.members.insert(id.clone(), Role::Member);
        }
        id
    }

    pub(super) fn deactivate(&mut self, id: &str) {
        if let Some(user) = self.users.iter_mut().find(|user| user.id == id) {
            user.active = false;
        }
    }

    /// Joins the project and, where the user is not in it yet, its workspace.
    pub(super) fn join_project(&mut self, user: &str, identifier: &str, role: Role) -> bool {
        let Some(project) = self.projects.iter_mut().find(|project| project.identifier() == identifier)
        else {
            return false;
        };
        project.members.insert(user.to_owned(), role);
        let home = text(&project.row, "workspace").to_owned();
        if let Some(home) = self.workspaces.iter_mut().find(|one| text(&one.row, "id") == home) {
            home.members.entry(user.to_owned()).or_insert(role);
        }
        true
    }

    /// Opens a session and returns the cookie's value.
    pub(super) fn sign_in(&mut self, user: &str) -> String {
        let cookie = hex(&random::<16>());
        self.sessions.insert(cookie.clone(), user.to_owned());
        cookie
    }

    pub(super) fn mint_key(
        &mut self,
        user: &str,
        label: &str,
        description: &str,
        expires: Option<String>,
        now: u64,
    ) -> ApiKey {
        let key = ApiKey {
            id: uuid(),
            token: format!("plane_api_{}", hex(&random::<16>())),
            user: user.to_owned(),
            label: label.to_owned(),
            description: description.to_owned(),
            created: moment(now),
            expires,
        };
        self.keys.insert(0, key.clone());
        key
    }

    pub(super) fn workspace(&self, slug: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| workspace.slug() == slug)
    }

    /// The projects of a workspace, in its order.
    pub(super) fn projects_in(&self, slug: &str) -> impl Iterator<Item = &Project> {
        let home = self.workspace(slug).map(|workspace| text(&workspace.row, "id").to_owned());
        self.projects.iter().filter(move |project| home.as_deref() == Some(text(&project.row, "workspace")))
    }

    /// The project with this identifier, in whichever workspace it is.
    pub(super) fn project_named(&self, identifier: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.identifier() == identifier)
    }

    /// The work item called `{identifier}-{number}`.
    pub(super) fn work_item_named(&self, name: &str) -> Option<&Value> {
        let (project, number) = name.rsplit_once('-')?;
        let number: i64 = number.parse().ok()?;
        let items = &self.project_named(project)?.items;
        items.iter().find(|item| item.get("sequence_id").and_then(Value::as_i64) == Some(number))
    }

    pub(super) fn project(&self, slug: &str, id: &str) -> Option<&Project> {
        self.projects_in(slug).find(|project| project.id() == id)
    }
}

/// A text field of a row; empty when it is absent or no text.
pub(super) fn text<'row>(row: &'row Value, key: &str) -> &'row str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Sets fields of a row that is an object.
pub(super) fn set<const N: usize>(row: &mut Value, fields: [(&str, Value); N]) {
    if let Some(object) = row.as_object_mut() {
        object.extend(fields.map(|(key, value)| (key.to_owned(), value)));
    }
}

/// Unix seconds as Plane writes times: `2026-11-21T07:25:33.000000Z`.
pub(super) fn moment(unix: u64) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years that begin on 1 March.
    let (days, second) = (unix / 86_400 + 719_468, unix % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000Z")
}

/// The Unix seconds of such a time, fractions cut off: the inverse of [`moment`].
pub(super) fn unix(moment: &str) -> Option<u64> {
    let part = |from: usize, to: usize| moment.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (year, shifted) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted + 2) / 5 + day - 1;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + part(11, 13)? * 3_600 + part(14, 16)? * 60 + part(17, 19)?)
}

/// A random version 4 UUID.
fn uuid() -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = random::<16>();
    let (g, h) = (g & 0x0f | 0x40, h);
    let [i, j, tail @ ..] = rest;
    let i = i & 0x3f | 0x80;
    let (head, middle) = (hex(&[a, b, c, d]), hex(&[e, f]));
    format!("{head}-{middle}-{}-{}-{}", hex(&[g, h]), hex(&[i, j]), hex(&tail))
}

#[expect(clippy::expect_used, reason = "without randomness no test can run")]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
