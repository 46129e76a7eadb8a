//! Cycles, which others call sprints.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::arguments::{Parameter, Shape};
use super::names::{Directory, Kind, Names};
use super::progress::Progress;
use super::{Action, Call, Code, Entry, Failure, READ, brief, projects, work_items, workspaces};
use crate::plane::PlaneError;
use crate::plane::path::{Path, Uuid};
use crate::plane::shapes::Rows;
use crate::plane::shapes::planning::Cycle;

/// `list_cycles`
pub(super) const LIST_CYCLES: Entry = Entry {
    name: "list_cycles",
    title: "List cycles (sprints)",
    description: "The cycles (sprints, iterations) of a project: dates, owner, which is current, upcoming, completed or \
        draft, and progress as counts of work items.",
    parameters: &[
        workspaces::WORKSPACE_SLUG,
        projects::PROJECT,
        VIEW,
        work_items::PER_PAGE,
        work_items::CURSOR,
    ],
    scope: READ,
    action: Action::ListCycles,
};

/// `retrieve_cycle`
pub(super) const RETRIEVE_CYCLE: Entry = Entry {
    name: "retrieve_cycle",
    title: "Show a cycle (sprint)",
    description: "How one cycle (sprint) is going: progress as counts of completed, started, unstarted, backlog and \
        cancelled work items, start and end, goal, owner. Its work items: list_work_items with cycle.",
    parameters: &[workspaces::WORKSPACE_SLUG, projects::PROJECT, CYCLE],
    scope: READ,
    action: Action::RetrieveCycle,
};

const VIEW: Parameter = Parameter {
    name: "view",
    shape: Shape::Choice(&["all", "current", "upcoming", "completed", "draft", "incomplete", "archived"]),
    required: false,
    description: "",
};

const CYCLE: Parameter = Parameter {
    name: "cycle",
    shape: Shape::Text(255),
    required: true,
    description: "Name, id, or current for the running one.",
};

const FIELDS: &str = "id,name,description,start_date,end_date,timezone,owned_by,archived_at,total_issues,\
    completed_issues,started_issues,unstarted_issues,backlog_issues,cancelled_issues";

/// A page of cycles.
#[derive(Debug, Serialize)]
pub(super) struct Cycles {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    cycles: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A cycle.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// Lists one page.
pub(super) async fn list(call: &Call<'_>) -> Result<Cycles, Failure> {
    let (slug, project) = projects::named(call).await?;
    let base = Path::project(&slug, &project.id);
    let path = match call.arguments.text(VIEW.name) {
        Some("archived") => base.literal("archived-cycles/"),
        None | Some("all") => base.literal("cycles/"),
        Some(view) => base.literal("cycles/").query("cycle_view", view),
    };
    let path = work_items::paged(path.query("fields", FIELDS), &call.arguments)?;
    let (names, now) = (Names::new(call, &slug, Some(&project)), now(call));
    let (rows, names) = tokio::join!(
        projects::ask::<Rows<Cycle>>(call, &slug, &project, path),
        names.directory(&[Kind::Member])
    );
    let shown = |cycle| Shown::of(cycle, &names, now, brief::IN_LIST);
    Ok(match rows? {
        Rows::Page(page) => {
            let next_cursor = page.next();
            let cycles = page.results.into_iter().map(shown).collect();
            Cycles { total: page.total_results, cycles, next_cursor }
        }
        // The running ones are few and come without pages.
        Rows::Bare(rows) => {
            let cycles: Vec<Shown> = rows.into_iter().map(shown).collect();
            Cycles { total: u64::try_from(cycles.len()).ok(), cycles, next_cursor: None }
        }
    })
}

/// Retrieves one.
pub(super) async fn retrieve(call: &Call<'_>) -> Result<Shown, Failure> {
    let (slug, project) = projects::named(call).await?;
    let text = call.arguments.text(CYCLE.name).unwrap_or_default();
    let names = Names::new(call, &slug, Some(&project));
    let id = match Uuid::parse(text) {
        Some(id) => id,
        None => names.cycle(text).await?,
    };
    let path = Path::project(&slug, &project.id).literal("cycles/").part(id.as_str()).query("fields", FIELDS);
    let (cycle, names) =
        tokio::join!(call.plane.ask::<Cycle>(call.caller, path), names.directory(&[Kind::Member]));
    match cycle {
        Ok(cycle) => Ok(Shown::of(cycle, &names, now(call), brief::IN_FULL)),
        Err(PlaneError::NotFound) => {
            let message = format!("There is no cycle \"{text}\" in project {}.", project.label());
            Err(Failure::of(Code::CycleNotFound, message))
        }
        Err(error) => Err(projects::failure(call, error, &slug, &project).await),
    }
}

impl Shown {
    fn of(cycle: Cycle, names: &Directory, now: Timestamp, most: usize) -> Self {
        let status = cycle.status(now);
        let zone = cycle.timezone.filter(|zone| !zone.is_empty() && zone != "UTC");
        let day = |moment: Option<String>| moment.map(|moment| day(&moment, zone.as_deref()));
        Self {
            name: cycle.name,
            status,
            start_date: day(cycle.start_date),
            end_date: day(cycle.end_date),
            owner: cycle.owned_by.map(|id| names.member(&id).map_or(id.clone(), str::to_owned)),
            description: brief::text(cycle.description, most),
            progress: Progress::of(cycle.counts),
            archived_at: cycle.archived_at,
            id: cycle.id,
            timezone: zone,
        }
    }
}

fn now(call: &Call<'_>) -> Timestamp {
    Timestamp::try_from(call.plane.now()).unwrap_or_default()
}

/// The day people mean: Plane keeps the moment it begins or ends in the cycle's time zone.
fn day(moment: &str, zone: Option<&str>) -> String {
    let Ok(at) = moment.parse::<Timestamp>() else { return moment.to_owned() };
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_begins_and_ends_on_the_days_of_its_own_time_zone() {
        assert_eq!(day("2026-11-17T15:00:01Z", Some("Asia/Tokyo")), "2026-11-18");
        assert_eq!(day("2026-12-03T07:59:00Z", Some("America/Los_Angeles")), "2026-12-02");
        assert_eq!(day("2026-11-18T00:00:01+00:00", None), "2026-11-18");
        assert_eq!(day("2026-11-18T01:00:01+02:00", Some("Nowhere/At all")), "2026-11-17");
        assert_eq!(day("soon", None), "soon");
    }

    #[test]
    fn a_cycle_stands_where_its_dates_say() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let status = |start: Option<&str>, end: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            Cycle { start_date: text(start), end_date: text(end), ..Cycle::default() }.status(now)
        };
        assert_eq!(status(Some("2026-11-18T00:00:01Z"), Some("2026-12-02T23:59:00Z")), "current");
        assert_eq!(status(Some("2026-11-21T08:00:01Z"), Some("2026-12-02T23:59:00Z")), "upcoming");
        assert_eq!(status(Some("2026-11-01T00:00:01Z"), Some("2026-11-21T09:59:00+02:00")), "completed");
        assert_eq!(status(None, None), "draft");
        assert_eq!(status(Some("x"), None), "draft");
    }
}
