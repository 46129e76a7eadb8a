//! A company at work: what [`Sample::Company`](super::Sample::Company) adds to the captures, made for questions.
//!
//! The day is 21 November 2026, a Saturday: dates of work items are fixed around it. Cycles alone move on with the clock, in sprints
//! of 15 days, so that the running one is always running.
//!
//! **Workspace `acme`**: alice (admin), bob, carol Chen, dave Dietrich (members), gus (guest). olga has a workspace of her own.
//!
//! | project | what | members | items |
//! |---|---|---|---|
//! | ENG | as captured, and carol, cycle Sprint 41, a file at ENG-1, comments at ENG-2 | alice, bob, carol, gus | 25 |
//! | OPS | Operations; led by bob, by default dave's | bob (admin), alice, carol, dave, gus (guest) | 14 |
//! | MKT | Marketing; led by carol | alice (admin), carol (admin) | 6 |
//! | SEC | secret, as captured | alice | 1 |
//! | OLD | Old website, archived | bob (admin), alice | none |
//! | HIR | Hiring, secret: not even the workspace's admin alice sees it | carol (admin), bob | 2 |
//!
//! **Workspace `beta`**: alice; project LAB (2 items).
//!
//! | project | cycles: completed, running, upcoming (archived) | modules (archived) | labels |
//! |---|---|---|---|
//! | ENG | Sprint 41: 16, 22; Sprint 42: 1-10; Sprint 43: none; a draft | Auth revamp: 6-15; Billing: none | bug, backend, frontend, security |
//! | OPS | Ops 7: 7, 8, 14; Ops 8: 1-4, 6, 13; Ops 9: 5, 10-12 (Ops 6) | Disaster recovery: 2, 4, 10-12; Cost cutting: 8, 13 (Data centre move) | incident, security, backup, cost, docs |
//! | MKT | October push: 6; November push: 2, 3 | Launch: 1, 2, 5 | blog, event, social |
//!
//! Overdue on the day (due before it and neither done nor cancelled): OPS-1, OPS-2, MKT-3. States are the five defaults; OPS has
//! "Waiting for vendor" (started) besides, ENG "In Review".
//!
//! | hangs on an item | where |
//! |---|---|
//! | relations | OPS-5 is blocked by OPS-2 and by ENG-12; OPS-13 relates to SEC-1, which only alice may see |
//! | sub-items | OPS-10 has OPS-11 and OPS-12; ENG-24 has ENG-25 |
//! | comments | OPS-1: three (dave, bob, alice, the last one edited); OPS-6: one (gus); ENG-2: one (carol) |
//! | links | OPS-5: release notes; OPS-7: the postmortem |
//! | files | OPS-6: alert.png; OPS-7: outage-timeline.pdf; ENG-1: redirect-loop.har |
//! | activity | OPS-1: priority high to urgent (bob), state Todo to In Progress (dave), due date 2026-11-16 to 2026-11-18 (bob) |
//! | intake | OPS: 15 pending (gus), 16 rejected, 17 snoozed, 18 accepted, 19 a duplicate of OPS-9 (gus); ENG: 26 pending |

mod content;
mod rows;
#[cfg(test)]
mod tests;

use super::world::{Role, User, World, text};
use content::Plan;

/// Adds the company to the captured world.
pub(super) fn add(world: &mut World) {
    for (name, last, id) in [
        ("Carol", "Chen", "ca401000-0000-4000-8000-000000000001"),
        ("Dave", "Dietrich", "da7e0000-0000-4000-8000-000000000001"),
    ] {
        let joined = world.users.first().map(|user| user.joined.clone()).unwrap_or_default();
        let user = User {
            id: id.to_owned(),
            email: format!("{}@example.com", name.to_lowercase()),
            first_name: name.to_owned(),
            last_name: last.to_owned(),
            active: true,
            joined,
        };
        world.users.insert(0, user);
        if let Some(acme) = world.workspaces.iter_mut().find(|workspace| workspace.slug() == "acme") {
            acme.members.insert(id.to_owned(), Role::Member);
        }
    }
    for plan in content::PLANS {
        add_plan(world, plan);
    }
    // Relations may lead to any project, so they come when all are there.
    for (from, kind, to, back) in content::RELATIONS {
        relate(world, from, kind, to);
        relate(world, to, back, from);
    }
}

/// Adds what the plan holds to its project, made when there is none.
fn add_plan(world: &mut World, plan: &Plan) {
    let people = People::of(world);
    let home = world.workspace(plan.workspace).map(|workspace| text(&workspace.row, "id").to_owned());
    let Some(home) = home else { return };
    if world.project_named(plan.identifier).is_none() {
        world.projects.push(rows::project(plan, &people, &home));
    }
    let found = world.projects.iter_mut().find(|project| project.identifier() == plan.identifier);
    if let Some(project) = found {
        for (name, role) in plan.members {
            project.members.insert(people.id(name), *role);
        }
        rows::fill(project, plan, &people);
    }
}

fn relate(world: &mut World, from: &str, kind: &str, to: &str) {
    let ids = |name: &str| {
        let item = world.work_item_named(name)?;
        Some((text(item, "id").to_owned(), text(item, "project").to_owned()))
    };
    let (Some((from, home)), Some((to, target))) = (ids(from), ids(to)) else { return };
    if let Some(project) = world.projects.iter_mut().find(|project| project.id() == home) {
        let mut relations = super::work_items::relations_of(project, &from);
        let related = serde_json::json!({"project_id": target, "issue_id": to});
        if let Some(list) = relations.get_mut(kind).and_then(|list| list.as_array_mut()) {
            list.push(related);
        }
        project.relations.insert(from, relations);
    }
}

/// User ids by name.
#[derive(Debug)]
struct People(Vec<(String, String)>);

impl People {
    fn of(world: &World) -> Self {
        Self(world.users.iter().map(|user| (user.name().to_owned(), user.id.clone())).collect())
    }

    /// The id of the user of this name; empty when there is none.
    fn id(&self, name: &str) -> String {
        self.0.iter().find(|(one, _)| one == name).map(|(_, id)| id.clone()).unwrap_or_default()
    }

    /// The ids of several, named with spaces between.
    fn ids(&self, names: &str) -> Vec<String> {
        names.split_whitespace().map(|name| self.id(name)).collect()
    }
}
