//! From the tables to Plane's rows: a captured row of the kind, with the fields changed that differ.

use serde_json::{Value, json};

use super::super::seed::capture;
use super::super::world::{Cycle, Project, set, text};
use super::People;
use super::content::{Comment, Group, Item, Plan};

/// The kinds of rows, for their ids.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Project = 1,
    State,
    Label,
    Item,
    Cycle,
    Module,
    Comment,
    Link,
    File,
    Change,
    Intake,
}

/// An id that is always the same: the project's identifier, the kind, and a number in it.
fn id(project: &str, kind: Kind, number: i64) -> String {
    let letters: String = project.bytes().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{letters:0<8}-{:04x}-4000-8000-{number:012x}", kind as u16)
}

/// The project of a plan the captures lack, still empty.
pub(super) fn project(plan: &Plan, people: &People, workspace: &str) -> Project {
    let mut row = capture!("retrieve_project");
    let (name, about, public) = plan.about;
    set(
        &mut row,
        [
            ("id", json!(id(plan.identifier, Kind::Project, 0))),
            ("name", json!(name)),
            ("description", json!(about)),
            ("identifier", json!(plan.identifier)),
            ("network", json!(if public { 2 } else { 0 })),
            ("workspace", json!(workspace)),
            ("intake_view", json!(!plan.intake.is_empty())),
            ("archived_at", some(plan.archived)),
            ("created_by", json!(people.id(plan.lead))),
            ("created_at", json!("2026-10-01T08:00:00.000000Z")),
        ],
    );
    Project { row, ..Project::default() }
}

/// Adds everything the plan holds.
pub(super) fn fill(project: &mut Project, plan: &Plan, people: &People) {
    if !plan.lead.is_empty() {
        set(&mut project.row, [("project_lead", json!(people.id(plan.lead)))]);
    }
    if !plan.default_assignee.is_empty() {
        set(&mut project.row, [("default_assignee", json!(people.id(plan.default_assignee)))]);
    }
    let from = Filling { project: project.clone(), plan, people };
    project.states.extend(from.states());
    project.labels.extend(from.labels());
    let from = Filling { project: project.clone(), plan, people };
    // Newest first, as Plane lists them.
    let mut items: Vec<Value> = plan.items.iter().map(|item| from.item(item)).collect();
    items.append(&mut project.items);
    items.sort_by(|a, b| text(b, "created_at").cmp(text(a, "created_at")));
    project.items = items;
    let from = Filling { project: project.clone(), plan, people };
    for (place, group) in plan.cycles.iter().enumerate() {
        from.add_cycle(project, place, group);
    }
    for (place, group) in plan.modules.iter().enumerate() {
        from.add_module(project, place, group);
    }
    let hung = |rows: &mut Vec<Value>, more: Vec<Value>| {
        rows.splice(0..0, more.into_iter().rev());
    };
    hung(
        &mut project.comments,
        plan.comments.iter().enumerate().map(|(n, one)| from.comment(n, one)).collect(),
    );
    hung(&mut project.links, from.links());
    project.attachments.extend(from.files());
    project.activities.extend(from.changes());
    project.intake.extend(from.intake());
}

/// What rows are made from: the project as far as it is filled, the plan and the people.
struct Filling<'a> {
    project: Project,
    plan: &'a Plan,
    people: &'a People,
}

impl Filling<'_> {
    fn id(&self, kind: Kind, place: usize) -> String {
        id(self.plan.identifier, kind, i64::try_from(place).unwrap_or_default() + 1)
    }

    /// A captured row as one of this project.
    fn of(&self, mut row: Value, id: &str, time: &str) -> Value {
        let workspace = self.project.row.get("workspace").cloned().unwrap_or_default();
        let time = json!(time);
        set(&mut row, [("id", json!(id)), ("project", json!(self.project.id())), ("workspace", workspace)]);
        set(&mut row, [("created_at", time.clone()), ("updated_at", time), ("updated_by", Value::Null)]);
        set(&mut row, [("external_id", Value::Null), ("external_source", Value::Null)]);
        row
    }

    fn states(&self) -> Vec<Value> {
        let states = self.plan.states.iter().enumerate();
        states
            .map(|(place, (name, group))| {
                let mut row = self.of(capture!("retrieve_state"), &self.id(Kind::State, place), MADE);
                #[expect(clippy::cast_precision_loss, reason = "a handful of states")]
                let sequence = json!(15_000.0 + 10_000.0 * place as f64);
                set(&mut row, [("name", json!(name)), ("group", json!(group)), ("sequence", sequence)]);
                set(&mut row, [("default", json!(place == 0))]);
                row
            })
            .collect()
    }

    fn labels(&self) -> Vec<Value> {
        let labels = self.plan.labels.iter().enumerate();
        labels
            .map(|(place, name)| {
                let row = self.of(capture!("retrieve_label"), &self.id(Kind::Label, place), MADE);
                with(row, [("name", json!(name))])
            })
            .collect()
    }

    fn item(&self, item: &Item) -> Value {
        let id = |number: i64| id(self.plan.identifier, Kind::Item, number);
        // Some minutes apart, so that nothing was made at the same time.
        let time = |day: &str| format!("{day}T09:{:02}:00.000000Z", item.number);
        let state = self.project.states.iter().find(|state| text(state, "name") == item.state);
        let is_done = state.is_some_and(|state| text(state, "group") == "completed");
        let wanted: Vec<&str> = item.labels.split(',').collect();
        let labels = self.project.labels.iter().filter(|label| wanted.contains(&text(label, "name")));
        let labels: Vec<&str> = labels.map(|label| text(label, "id")).collect();
        let row = self.of(capture!("retrieve_work_item"), &id(item.number), &time(item.days.0));
        let row = with(
            row,
            [
                ("updated_at", json!(time(item.days.1))),
                ("created_by", json!(self.people.id(item.by))),
                ("name", json!(item.name)),
                ("description_html", json!(format!("<p>{}.</p>", item.name))),
                ("priority", json!(item.priority)),
                ("sequence_id", json!(item.number)),
                ("state", json!(state.map(|state| text(state, "id")))),
                ("start_date", some(item.dates.0)),
                ("target_date", some(item.dates.1)),
            ],
        );
        with(
            row,
            [
                ("completed_at", if is_done { json!(time(item.days.1)) } else { Value::Null }),
                ("assignees", json!(self.people.ids(item.assignees))),
                ("labels", json!(labels)),
                ("parent", if item.parent > 0 { json!(id(item.parent)) } else { Value::Null }),
            ],
        )
    }

    fn add_cycle(&self, project: &mut Project, place: usize, group: &Group) {
        let row = self.group(capture!("retrieve_cycle"), &self.id(Kind::Cycle, place), group, project);
        let row = with(
            row,
            [
                ("start_date", some(group.dates.0)),
                ("end_date", some(group.dates.1)),
                ("owned_by", json!(self.people.id(first(group.people)))),
            ],
        );
        match group.status {
            "archived" => project.archived_cycles.push(with(row, [("archived_at", json!(MADE))])),
            view => project.cycles.insert(0, Cycle { row, view }),
        }
    }

    fn add_module(&self, project: &mut Project, place: usize, group: &Group) {
        let row = self.group(capture!("retrieve_module"), &self.id(Kind::Module, place), group, project);
        let row = with(
            row,
            [
                ("start_date", some(group.dates.0)),
                ("target_date", some(group.dates.1)),
                ("lead", json!(self.people.id(first(group.people)))),
                ("members", json!(self.people.ids(group.people))),
                ("status", json!(if group.status == "archived" { "completed" } else { group.status })),
            ],
        );
        if group.status == "archived" {
            project.archived_modules.push(with(row, [("archived_at", json!(MADE))]));
        } else {
            project.modules.insert(0, row);
        }
    }

    /// What cycles and modules have in common: name, description, and how their items stand.
    fn group(&self, row: Value, id: &str, group: &Group, project: &mut Project) -> Value {
        let number = |item: &Value| item.get("sequence_id").and_then(Value::as_i64).unwrap_or_default();
        let mut items: Vec<&Value> =
            self.project.items.iter().filter(|item| group.items.contains(&number(item))).collect();
        items.sort_by_key(|item| number(item));
        let mut row = self.of(row, id, MADE);
        let owner = json!(self.people.id(first(group.people)));
        set(
            &mut row,
            [("name", json!(group.name)), ("description", json!(group.about)), ("created_by", owner)],
        );
        set(&mut row, [("total_issues", json!(items.len()))]);
        for kind in ["completed", "cancelled", "started", "unstarted", "backlog"] {
            let of_kind = |item: &&&Value| {
                let mut states = self.project.states.iter();
                let state = states.find(|state| text(state, "id") == text(item, "state"));
                state.is_some_and(|state| text(state, "group") == kind)
            };
            let count = items.iter().filter(of_kind).count();
            if let Some(row) = row.as_object_mut() {
                row.insert(format!("{kind}_issues"), json!(count));
            }
        }
        project.grouped.insert(id.to_owned(), items.iter().map(|item| text(item, "id").to_owned()).collect());
        row
    }

    fn comment(&self, place: usize, comment: &Comment) -> Value {
        let time = format!("{}.000000Z", comment.day);
        let row = self.of(capture!("retrieve_work_item_comment"), &self.id(Kind::Comment, place), &time);
        let author = json!(self.people.id(comment.by));
        with(
            row,
            [
                ("comment_html", json!(comment.html)),
                ("edited_at", if comment.edited { json!(time) } else { Value::Null }),
                ("created_by", author.clone()),
                ("actor", author),
                ("issue", self.item_id(comment.item)),
            ],
        )
    }

    fn links(&self) -> Vec<Value> {
        let links = self.plan.links.iter().enumerate();
        links
            .map(|(place, (item, title, url))| {
                let row = self.of(capture!("retrieve_work_item_link"), &self.id(Kind::Link, place), MADE);
                let about = json!({"url": url, "title": null});
                let row = with(row, [("title", json!(title)), ("url", json!(url)), ("metadata", about)]);
                with(row, [("issue", self.item_id(*item))])
            })
            .collect()
    }

    fn files(&self) -> Vec<Value> {
        let files = self.plan.files.iter().enumerate();
        files
            .map(|(place, (item, name, kind, bytes))| {
                let id = self.id(Kind::File, place);
                let row = json!({
                    "deleted_at": null,
                    "attributes": {"name": name, "type": kind, "size": bytes},
                    "asset": format!("{}/{id}-{name}", text(&self.project.row, "workspace")),
                    "entity_type": "ISSUE_ATTACHMENT",
                    "entity_identifier": null,
                    "is_deleted": false,
                    "is_archived": false,
                    "size": bytes,
                    "is_uploaded": true,
                    "storage_metadata": {},
                    "created_by": self.people.id("alice"),
                    "user": null,
                    "draft_issue": null,
                    "issue": self.item_id(*item),
                    "comment": null,
                    "page": null,
                });
                self.of(row, &id, MADE)
            })
            .collect()
    }

    fn changes(&self) -> Vec<Value> {
        let changes = self.plan.changes.iter().enumerate();
        changes
            .map(|(place, (item, by, field, old, new, day))| {
                let time = format!("{day}.000000Z");
                let captured = capture!("retrieve_work_item_activity");
                let row = self.of(captured, &self.id(Kind::Change, place), &time);
                let state = |name: &str| {
                    let mut states = self.project.states.iter();
                    let state = states.find(|state| *field == "state" && text(state, "name") == name);
                    json!(state.map(|state| text(state, "id")))
                };
                with(
                    row,
                    [
                        ("verb", json!("updated")),
                        ("field", json!(field)),
                        ("old_value", json!(old)),
                        ("new_value", json!(new)),
                        ("old_identifier", state(old)),
                        ("new_identifier", state(new)),
                        ("comment", json!(format!("updated the {field} to"))),
                        ("actor", json!(self.people.id(by))),
                        ("issue", self.item_id(*item)),
                    ],
                )
            })
            .collect()
    }

    fn intake(&self) -> Vec<Value> {
        let intake = self.plan.intake.iter().enumerate();
        intake
            .map(|(place, (number, name, by, status, duplicate))| {
                let item = id(self.plan.identifier, Kind::Item, *number);
                let mut row = self.of(capture!("retrieve_intake_issue"), &self.id(Kind::Intake, place), MADE);
                let detail = row.get_mut("issue_detail").map(Value::take).unwrap_or_default();
                let detail = self.of(detail, &item, MADE);
                let (by, stripped) = (json!(self.people.id(by)), json!(format!("{name}.")));
                let detail = with(
                    detail,
                    [
                        ("name", json!(name)),
                        ("sequence_id", json!(number)),
                        ("priority", json!("none")),
                        ("description_html", json!(format!("<p>{name}.</p>"))),
                        ("description_stripped", stripped),
                        ("created_by", by.clone()),
                    ],
                );
                let duplicate = if *duplicate > 0 { self.item_id(*duplicate) } else { Value::Null };
                let until = if *status == 0 { json!("2026-12-01T00:00:00Z") } else { Value::Null };
                with(
                    row,
                    [
                        ("issue_detail", detail),
                        ("issue", json!(item)),
                        ("status", json!(status)),
                        ("created_by", by),
                        ("snoozed_till", until),
                        ("duplicate_to", duplicate),
                    ],
                )
            })
            .collect()
    }

    fn item_id(&self, number: i64) -> Value {
        let mut items = self.project.items.iter();
        let item = items.find(|item| item.get("sequence_id").and_then(Value::as_i64) == Some(number));
        json!(item.map(|item| text(item, "id")))
    }
}

/// When what has no time of its own was made.
const MADE: &str = "2026-11-01T08:00:00.000000Z";

fn with<const N: usize>(mut row: Value, fields: [(&str, Value); N]) -> Value {
    set(&mut row, fields);
    row
}

fn some(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn first(names: &str) -> &str {
    names.split_whitespace().next().unwrap_or_default()
}
