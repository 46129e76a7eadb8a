//! What the operator does not show is not there: in no list, behind no name or id, inside no result, and from the moment
//! the configuration says so.

mod table;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{
    client::{Era, SignedIn},
    plane::Sample,
    program::Program,
    settings::Settings,
    stack::Stack,
    trouble::Outcome,
};
use table::{ABSENT, Answer, CASES, Seen};

/// A stack whose Plane is a company at work.
async fn company() -> Stack {
    let builder = Stack::builder().plane(|plane| {
        plane.sample = Sample::Company;
        plane.requests_per_minute = 100_000;
    });
    let builder = builder.proxy_setting("limits.requests_per_minute", 0);
    builder.adapter_setting("plane.requests_per_minute", 100_000).start().await.unwrap()
}

/// Changes the configuration of a running program and waits until it has met the new one.
async fn reload(program: &Program, change: impl FnOnce(&mut Settings), outcome: &str) {
    program.reload(change, outcome).await.unwrap();
}

#[tokio::test]
async fn tools_switched_off_while_running_are_gone_and_a_bad_list_changes_nothing() {
    let stack = company().await;
    let session = stack.sign_in("alice").await.unwrap();
    let all = session.tools(Era::Modern).await.unwrap();
    assert!(all.len() > 2, "{all:?}");
    let program = &stack.adapter.program;
    reload(program, |settings| settings.set("tools.allow", vec!["get_me"]), "taken").await;
    assert_eq!(session.tools(Era::Modern).await.unwrap(), ["get_me"]);
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    session.tool(Era::Modern, "list_projects", &json!({})).await.unwrap_err();

    // One good and one bad change in one file: neither is taken.
    let change = |settings: &mut Settings| {
        settings.set("tools.allow", vec!["get_mee"]);
        settings.set("mcp.enabled", false);
    };
    reload(program, change, "refused").await;
    assert!(program.log().text().contains("did you mean get_me?"), "{}", program.log().text());
    assert_eq!(session.tools(Era::Modern).await.unwrap(), ["get_me"]);

    let change = |settings: &mut Settings| {
        settings.set("tools.allow", Vec::<String>::new());
        settings.set("mcp.enabled", true);
    };
    reload(program, change, "taken").await;
    assert_eq!(session.tools(Era::Modern).await.unwrap(), all);
}

#[tokio::test]
async fn the_requests_a_user_may_cause_change_at_once_for_users_seen_before() {
    let stack = company().await;
    let session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "list_projects", &json!({})).await.unwrap();
    let program = &stack.adapter.program;
    reload(program, |settings| settings.set("plane.requests_per_minute", 1), "taken").await;
    let refused = session.tool(Era::Modern, "list_work_items", &json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("plane.rate_limited"), "{refused}");
    reload(program, |settings| settings.set("plane.requests_per_minute", 1000), "taken").await;
    session.tool(Era::Modern, "list_work_items", &json!({})).await.unwrap();
}

#[tokio::test]
async fn the_master_switch_is_taken_from_the_file_alone_and_what_needs_a_restart_is_named() {
    let mut stack = company().await;
    let session = stack.sign_in("alice").await.unwrap();
    let program = &mut stack.adapter.program;
    let mut settings = program.settings().unwrap();
    settings.set("mcp.enabled", false);
    settings.set("plane.timeout_seconds", 7);
    settings.set("log.filter", "warn");
    // No signal: the file is looked at.
    program.rewrite(&settings).unwrap();
    let log = program.process();
    log.wait_for("told what waits", async |log| log.text().contains("wait for a restart").then_some(()))
        .await
        .unwrap();
    let line = log.log().lines().into_iter().find(|line| line.contains("wait for a restart")).unwrap();
    assert!(line.contains("plane.timeout_seconds") && !line.contains("mcp.enabled"), "{line}");
    assert!(log.log().text().contains("mcp switched"));
    let refused = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text);
    let quiet = program.log().lines().len();
    let change = |settings: &mut Settings| settings.set("mcp.enabled", true);
    reload(program, change, "taken").await;
    session.tools(Era::Modern).await.unwrap();
    let since: Vec<String> = program.log().lines().into_iter().skip(quiet).collect();
    assert!(
        since.iter().all(|line| line.contains("\"WARN\"")),
        "the filter lets warnings through: {since:?}"
    );
}

#[tokio::test]
async fn the_proxy_s_switch_is_reloaded_and_a_bad_file_refused() {
    let mut stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let program = &mut stack.proxies[0].program;
    let change = |settings: &mut Settings| {
        settings.set("mcp.enabled", false);
        settings.set("log.filter", "loud=er=x");
    };
    reload(program, change, "refused").await;
    session.tools(Era::Modern).await.unwrap();
    let change = |settings: &mut Settings| {
        settings.set("log.filter", "info");
        settings.set("server.drain_seconds", 3);
    };
    reload(program, change, "taken").await;
    let answer = session.client.probe(&session.tokens.access).await.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(program.log().text().contains("server.drain_seconds"), "{}", program.log().text());
}

/// How the calls of one test are made.
enum Way<'s> {
    /// Through the proxy, signed in.
    SignedIn(&'s SignedIn),
    /// Through the proxy, with a Plane API key.
    Key(&'s Stack, &'s str),
}

impl Way<'_> {
    async fn result(&self, method: &str, params: &Value) -> Outcome<Value> {
        match self {
            Self::SignedIn(session) => session.call(Era::Legacy, method, params).await,
            Self::Key(stack, key) => {
                let client = stack.client("/api-key/mcp")?;
                let answer = client.send(client.rpc(Era::Legacy, key, method, params)?).await?;
                Ok(answer.expect_status(200)?.json["result"].clone())
            }
        }
    }

    /// Whether the tool succeeded, and what it said.
    async fn ask(&self, tool: &str, arguments: &Value) -> Answer {
        let params = json!({ "name": tool, "arguments": arguments });
        let result = self.result("tools/call", &params).await.unwrap();
        (result["isError"] != true, result["content"][0]["text"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_project_outside_the_list_is_nowhere_for_a_signed_in_user() {
    let mut stack = company().await;
    let session = stack.sign_in("alice").await.unwrap();
    let open = answers(&stack, &Way::SignedIn(&session), "").await;
    limit(&mut stack).await;
    let limited = answers(&stack, &Way::SignedIn(&session), "").await;
    let absent = answers(&stack, &Way::SignedIn(&session), ABSENT).await;
    compare(&stack, [open, limited, absent], true);
}

#[tokio::test]
async fn a_project_outside_the_list_is_nowhere_for_a_key() {
    let mut stack = company().await;
    let key = stack.plane.api_key_for("alice");
    let open = answers(&stack, &Way::Key(&stack, &key), "").await;
    limit(&mut stack).await;
    let limited = answers(&stack, &Way::Key(&stack, &key), "").await;
    let absent = answers(&stack, &Way::Key(&stack, &key), ABSENT).await;
    // Plane lists no workspaces to a key, nor all their work items, and does not name what items relate to.
    compare(&stack, [open, limited, absent], false);
}

/// From now on only project OPS of workspace acme.
async fn limit(stack: &mut Stack) {
    let change = |settings: &mut Settings| {
        settings.set("plane.workspaces", vec!["acme"]);
        settings.set("plane.projects", vec!["acme/OPS"]);
    };
    reload(&stack.adapter.program, change, "taken").await;
}

/// What every case of the table is answered; with [`ABSENT`], those that ask for what is hidden about what is not there.
async fn answers(stack: &Stack, way: &Way<'_>, id: &str) -> Vec<Answer> {
    let listed = way.result("tools/list", &Value::Null).await.unwrap();
    let listed: Vec<&str> =
        listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for tool in &listed {
        assert!(CASES.iter().any(|case| case.tool == *tool), "{tool} is not in the table");
    }
    assert!(CASES.iter().all(|case| listed.contains(&case.tool)), "{listed:?}");
    let asked = CASES.iter().map(async |case| match case.seen {
        Seen::Same | Seen::Sifted { .. } if id == ABSENT => (false, String::new()),
        _ => way.ask(case.tool, &case.arguments(stack, id)).await,
    });
    join_all(asked).await
}

fn compare(stack: &Stack, [open, limited, absent]: [Vec<Answer>; 3], everything: bool) {
    let mut wrong = String::new();
    for (((case, open), limited), absent) in CASES.iter().zip(&open).zip(&limited).zip(&absent) {
        if let Err(why) = case.check(stack, open, limited, absent, everything) {
            let said = [open, limited, absent].map(|(_, text)| text.get(..400).unwrap_or(text));
            wrong += &format!("{} {}: {why}\n{said:#?}\n", case.tool, case.asks);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
