//! The company is what its table says, and it changes nothing the captures show of other projects.

use std::sync::Arc;

use serde_json::{Value, json};
use service::ManualClock;

use super::super::{PlaneAuth, PlaneDouble, PlaneOptions, Sample};

const TODAY: u64 = 1_795_246_041;
const SPRINT: u64 = 15 * 86_400;

struct Bench {
    plane: PlaneDouble,
    client: reqwest::Client,
}

impl Bench {
    async fn at(now: u64) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let options =
            PlaneOptions { auth: PlaneAuth::Fork, sample: Sample::Company, clock, ..PlaneOptions::default() };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { plane: PlaneDouble::start(options).await.unwrap(), client }
    }

    async fn get(&self, user: &str, target: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}/api{target}", self.plane.url()));
        let response = request.header("x-auth-request-email", user).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Something below a project of `acme`, as bob sees it in v1.
    async fn of(&self, project: &str, below: &str) -> Value {
        let id = self.plane.project_id(project).unwrap();
        let (status, body) = self.get("bob", &format!("/v1/workspaces/acme/projects/{id}/{below}")).await;
        assert_eq!(status, 200, "{project} {below}: {body}");
        body
    }

    async fn names(&self, project: &str, below: &str) -> Vec<String> {
        let body = self.of(project, below).await;
        let rows = body.get("results").unwrap_or(&body).as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn projects_hold_what_the_table_says() {
    let bench = Bench::at(TODAY).await;
    for (project, total) in [("ENG", 25), ("OPS", 14), ("HIR", 2)] {
        assert_eq!(bench.of(project, "work-items/").await["total_count"], total, "{project}");
    }
    assert_eq!(bench.names("OPS", "cycles/").await, ["Ops 9", "Ops 8", "Ops 7"]);
    assert_eq!(bench.names("OPS", "cycles/?cycle_view=current").await, ["Ops 8"]);
    assert_eq!(bench.names("ENG", "cycles/?cycle_view=completed").await, ["Sprint 41"]);
    assert_eq!(bench.names("OPS", "archived-cycles/").await, ["Ops 6"]);
    assert_eq!(bench.names("OPS", "modules/").await, ["Cost cutting", "Disaster recovery"]);
    assert_eq!(bench.names("OPS", "archived-modules/").await, ["Data centre move"]);
    assert_eq!(bench.names("OPS", "labels/").await, ["incident", "security", "backup", "cost", "docs"]);
    let current = &bench.of("OPS", "cycles/?cycle_view=current").await[0];
    let counts = ["total_issues", "started_issues", "unstarted_issues", "completed_issues"];
    assert_eq!(counts.map(|count| current[count].as_i64()), [Some(6), Some(3), Some(3), Some(0)]);
    let inside =
        bench.names("OPS", &format!("cycles/{}/cycle-issues/", current["id"].as_str().unwrap())).await;
    assert_eq!(inside[0], "Negotiate the hosting contract", "oldest first");
    let intake = bench.of("OPS", "intake-issues/").await;
    let states: Vec<i64> =
        intake["results"].as_array().unwrap().iter().map(|entry| entry["status"].as_i64().unwrap()).collect();
    assert_eq!(states, [-2, -1, 0, 1, 2]);
}

#[tokio::test]
async fn things_hang_on_items_as_the_table_says() {
    let bench = Bench::at(TODAY).await;
    let of = async |name: &str, kind: &str| {
        let id = bench.plane.work_item_id(name).unwrap();
        bench.of(name.split('-').next().unwrap(), &format!("work-items/{id}/{kind}/")).await
    };
    assert_eq!(of("OPS-1", "comments").await["total_count"], 3);
    assert!(of("OPS-1", "comments").await["results"][0]["edited_at"].is_string(), "newest first");
    assert_eq!(of("OPS-7", "links").await["results"][0]["title"], "Postmortem");
    assert_eq!(of("OPS-7", "attachments").await[0]["attributes"]["name"], "outage-timeline.pdf");
    assert_eq!(of("OPS-1", "activities").await["total_count"], 3);
    let relations = of("OPS-5", "relations").await;
    let blockers: Vec<&str> = relations["blocked_by"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["issue_id"].as_str().unwrap())
        .collect();
    let wanted = ["OPS-2", "ENG-12"].map(|name| bench.plane.work_item_id(name).unwrap());
    assert_eq!(blockers, wanted);
    assert_eq!(of("ENG-12", "relations").await["blocking"].as_array().unwrap().len(), 1);
    let id = bench.plane.work_item_id("OPS-10").unwrap();
    let project = bench.plane.project_id("OPS").unwrap();
    let (_, below) =
        bench.get("bob", &format!("/workspaces/acme/projects/{project}/issues/{id}/sub-issues/")).await;
    assert_eq!(below["sub_issues"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn overdue_are_three_and_hiring_is_hidden_from_the_admin() {
    let bench = Bench::at(TODAY).await;
    let query = "target_date=2026-11-20;before&state_group=backlog,unstarted,started&order_by=target_date";
    let overdue = async |user: &str| {
        let (_, body) = bench.get(user, &format!("/workspaces/acme/issues/?{query}")).await;
        let rows = body["results"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (rotate, speaker, backup) =
        ("Rotate the database credentials", "Book the webinar speaker", "Test restoring the nightly backup");
    assert_eq!(overdue("alice").await, [rotate, speaker, backup]);
    assert_eq!(overdue("carol").await, [rotate, speaker, "Offer for the second candidate", backup]);
    let id = bench.plane.project_id("HIR").unwrap();
    let (status, _) = bench.get("alice", &format!("/v1/workspaces/acme/projects/{id}/")).await;
    assert_eq!(status, 404);
    let (_, mine) = bench.get("gus", "/workspaces/acme/issues/").await;
    assert_eq!(mine["total_count"], 2, "a guest sees the two work items that are its own");
    let (_, lab) = bench.get("alice", "/workspaces/beta/issues/").await;
    assert_eq!(lab["total_count"], 2);
}

#[tokio::test]
async fn the_running_cycle_runs_whenever_the_test_does() {
    for now in [TODAY, TODAY + SPRINT, TODAY + 40 * SPRINT] {
        let bench = Bench::at(now).await;
        let text = super::super::world::moment(now);
        for project in ["ENG", "OPS"] {
            let current = &bench.of(project, "cycles/?cycle_view=current").await[0];
            let (from, to) = (current["start_date"].as_str().unwrap(), current["end_date"].as_str().unwrap());
            assert!(from <= text.as_str() && text.as_str() <= to, "{from} {text} {to}");
        }
    }
    let bench = Bench::at(TODAY).await;
    let current = &bench.of("ENG", "cycles/?cycle_view=current").await[0];
    assert_eq!(current["start_date"], json!("2026-11-18T00:00:01Z"), "as captured");
}
