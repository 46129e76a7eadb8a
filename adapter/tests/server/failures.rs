//! What a model is told when something fails: Plane's riddles solved, never passed on.

use serde_json::{Value, json};

use crate::canned::{ENG, Plane, Reply};
use crate::client::{Stack, call, text_of};

const ACME: &str = "workspace_slug = \"acme\"\n";

async fn stack() -> Stack {
    Stack::with(ACME, Plane::of_alice()).await
}

fn items(project: &str) -> String {
    format!("/api/v1/workspaces/acme/projects/{project}/work-items/")
}

#[tokio::test]
async fn no_workspace_named_leads_to_list_workspaces() {
    let stack = Stack::start().await;
    let failure = stack.failure("list_projects", json!({"workspace_slug": "  "})).await;
    assert_eq!(failure["code"], "workspace.required");
    assert_eq!(failure["recovery"]["tools"], json!(["list_workspaces"]));
    assert!(failure["recovery"]["hint"].is_string() && failure["recovery"]["reason"].is_string());
    assert!(stack.plane.seen().is_empty());
}

#[tokio::test]
async fn the_argument_wins_over_the_configured_workspace() {
    let stack = stack().await;
    let failure = stack.failure("list_projects", json!({"workspace_slug": "nope"})).await;
    assert_eq!(failure["code"], "workspace.not_found");
    assert_eq!(stack.plane.seen()[0].path, "/api/v1/workspaces/nope/projects/");
}

#[tokio::test]
async fn the_header_names_the_workspace_of_an_api_key_only() {
    let stack = stack().await;
    let list = || stack.post(call("list_projects", &json!({}))).header("x-workspace-slug", "nope");
    let keyed = stack.result_of(list().header("x-api-key", "plane_api_1")).await;
    assert_eq!(text_of(&keyed)["code"], "workspace.not_found");
    let signed_in = stack.result_of(list().bearer_auth(stack.pool.id_token("alice"))).await;
    assert_eq!(signed_in["isError"], false);
}

#[tokio::test]
async fn nothing_found_in_a_foreign_workspace_is_not_an_empty_answer() {
    let stack = stack().await;
    let nothing = Reply::json(200, &json!({"issue": []}));
    stack.plane.answer("/api/workspaces/beta/entity-search/", nothing.clone());
    let arguments = json!({"query": "x", "workspace_slug": "beta"});
    assert_eq!(stack.failure("search_work_items", arguments).await["code"], "workspace.not_found");
    stack.plane.answer("/api/workspaces/acme/entity-search/", nothing);
    let answer = stack.answer("search_work_items", json!({"query": "x"})).await;
    assert_eq!(answer, json!({"total": 0, "work_items": []}));
}

#[tokio::test]
async fn a_forbidden_project_is_unknown_or_not_joined_or_in_no_workspace() {
    let stack = stack().await;
    let code = |project: &'static str| {
        let stack = &stack;
        async move { stack.failure("list_work_items", json!({"project": project})).await["code"].clone() }
    };
    let base = "/api/v1/workspaces/acme/projects/";
    let (public, secret) = ("0415ff12-16d2-493d-af08-21c9644005f7", "58032735-e85c-4405-a166-d31b4a2e2c48");
    let forbidden = Reply::captured("err_public_project_notmember_items_as_bob");
    stack.plane.answer(&items(public), forbidden.clone());
    stack.plane.answer(&format!("{base}{public}/"), Reply::captured("err_public_project_notmember_as_bob"));
    stack.plane.answer(&items(secret), forbidden);
    stack.plane.answer(&format!("{base}{secret}/"), Reply::captured("err_secret_project_as_bob"));
    assert_eq!(code(public).await, "permission.denied");
    assert_eq!(code(secret).await, "project.not_found");
    assert_eq!(code("7454fb75-94cd-4d3b-816f-5b3a0de4a265").await, "workspace.not_found");
    assert_eq!(code("NOSUCH").await, "project.not_found");
}

#[tokio::test]
async fn a_key_that_leads_nowhere_says_where_it_ends() {
    let stack = stack().await;
    let code = |key: &'static str, slug: &'static str| {
        let stack = &stack;
        async move {
            let arguments = json!({"work_item": key, "workspace_slug": slug});
            stack.failure("retrieve_work_item", arguments).await["code"].clone()
        }
    };
    assert_eq!(code("ENG-9999", "acme").await, "work_item.not_found");
    assert_eq!(code("ENG-2", "acme").await, "permission.denied");
    assert_eq!(code("XYZ-1", "acme").await, "project.not_found");
    assert_eq!(code("ENG-1", "nope").await, "workspace.not_found");
    assert_eq!(code("ENG-abc", "acme").await, "argument.invalid");
    assert_eq!(code("../projects", "acme").await, "argument.invalid");
    assert_eq!(code("ENG-1", "../acme").await, "argument.invalid");
}

#[tokio::test]
async fn an_api_key_that_plane_refuses_is_not_a_lack_of_permission() {
    let stack = stack().await;
    let keyed = |tool: &str| stack.post(call(tool, &json!({}))).header("x-api-key", "plane_api_1");
    for name in ["err_invalid_key", "err_expired_key", "err_inactive_key"] {
        stack.plane.answer("/api/v1/workspaces/acme/projects/", Reply::captured(name));
        let failure = text_of(&stack.result_of(keyed("list_projects")).await);
        assert_eq!(failure["code"], "credential.rejected", "{name}");
    }
    let failure = text_of(&stack.result_of(keyed("list_workspaces")).await);
    assert_eq!(failure["code"], "credential.unsupported");
}

#[tokio::test]
async fn a_front_that_refuses_the_token_is_a_refused_credential() {
    let stack = stack().await;
    let page = Reply { status: 403, headers: vec![], body: "<html>Forbidden</html>".into() };
    let sign_in = Reply {
        status: 302,
        headers: vec![("location".into(), "/oauth2/start".into())],
        body: String::new(),
    };
    for reply in [page, sign_in, Reply::captured("app_no_session")] {
        stack.plane.answer("/api/users/me/workspaces/", reply);
        assert_eq!(stack.failure("list_workspaces", json!({})).await["code"], "credential.rejected");
    }
    assert!(stack.plane.seen().iter().all(|seen| seen.path != "/oauth2/start"), "redirects are not followed");
}

#[tokio::test]
async fn what_plane_breaks_is_told_without_its_words() {
    let stack = stack().await;
    let cases = [
        (Reply::captured("err_order_by_bogus"), "plane.unavailable"),
        (Reply { status: 502, headers: vec![], body: "<html>".into() }, "plane.unavailable"),
        (Reply { status: 200, headers: vec![], body: "<html>sign in</html>".into() }, "plane.unexpected"),
        (Reply::json(200, &json!({"unexpected": 1})), "plane.unexpected"),
        (Reply { status: 301, headers: vec![], body: String::new() }, "credential.rejected"),
        (Reply::captured("err_cursor_bad"), "argument.invalid"),
    ];
    for (reply, code) in cases {
        stack.plane.answer(&items(ENG), reply.clone());
        let failure = stack.failure("list_work_items", json!({"project": ENG})).await;
        assert_eq!(failure["code"], code, "{reply:?}");
        assert!(!failure.to_string().contains("html"));
    }
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused() {
    let stack = stack().await;
    let huge = Reply { status: 200, headers: vec![], body: " ".repeat(8 * 1024 * 1024 + 1) };
    stack.plane.answer(&items(ENG), huge);
    let failure = stack.failure("list_work_items", json!({"project": ENG})).await;
    assert_eq!(failure["code"], "plane.unexpected");
}

#[tokio::test]
async fn plane_gone_is_unavailable() {
    let stack = Stack::with("api_url = \"http://127.0.0.1:1\"\n", Plane::of_alice()).await;
    let request = stack.post(call("get_me", &json!({}))).header("x-api-key", "plane_api_1");
    assert_eq!(text_of(&stack.result_of(request).await)["code"], "plane.unavailable");
}

#[tokio::test]
async fn arguments_are_refused_by_name() {
    let stack = stack().await;
    let cases: [(&str, Value, &str); 6] = [
        ("list_work_items", json!({"project": ENG, "pql": "x"}), "pql"),
        ("list_work_items", json!({"target_before": "soon"}), "target_before"),
        ("list_work_items", json!({"project": ENG, "order_by": "created_by__password"}), "order_by"),
        ("list_work_items", json!({"project": ENG, "per_page": 101}), "per_page"),
        ("list_work_items", json!({"project": ENG, "fields": ["secret"]}), "fields"),
        ("get_me", json!({"who": "bob"}), "who"),
    ];
    for (tool, arguments, name) in cases {
        let failure = stack.failure(tool, arguments).await;
        assert_eq!(failure["code"], "argument.invalid");
        assert!(failure["message"].as_str().unwrap().contains(name), "{failure}");
    }
    assert!(stack.plane.seen().is_empty());
}
