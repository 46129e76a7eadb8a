//! Work items, as a user signed in and as the owner of an API key, over the company at work: the same questions, the same answers.

use serde_json::{Value, json};
use stack::client::{Era, McpClient, SignedIn};
use stack::plane::Sample;
use stack::stack::{Builder, Stack};

/// How somebody asks.
enum Asker {
    SignedIn(Box<SignedIn>),
    Key(Box<McpClient>, String),
}

impl Asker {
    /// What a tool answers, or its failure.
    async fn ask(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let result = match self {
            Self::SignedIn(session) => session.call(Era::Modern, "tools/call", &params).await.unwrap(),
            Self::Key(client, key) => {
                let request = client.rpc(Era::Modern, key, "tools/call", &params).unwrap();
                let answer = client.send(request).await.unwrap().expect_status(200).unwrap();
                serde_json::from_str::<Value>(&answer.text).unwrap()["result"].clone()
            }
        };
        serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
    }

    /// The identifiers a list answers with.
    async fn list(&self, arguments: Value) -> Vec<String> {
        identifiers(&self.ask("list_work_items", arguments).await)
    }
}

fn company() -> Builder {
    Stack::builder().plane(|plane| plane.sample = Sample::Company)
}

async fn signed_in(stack: &Stack, user: &str) -> Asker {
    Asker::SignedIn(Box::new(stack.sign_in(user).await.unwrap()))
}

fn keyed(stack: &Stack, user: &str) -> Asker {
    Asker::Key(Box::new(stack.client("/api-key/mcp").unwrap()), stack.plane.api_key_for(user))
}

fn identifiers(answer: &Value) -> Vec<String> {
    let rows = answer["work_items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    rows.iter().map(|row| row["identifier"].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut identifiers: Vec<String>) -> Vec<String> {
    identifiers.sort();
    identifiers
}

#[tokio::test]
async fn filters_mean_the_same_signed_in_and_with_a_key() {
    let stack = company().start().await.unwrap();
    let (session, key) = (signed_in(&stack, "alice").await, keyed(&stack, "alice"));
    let open = json!(["backlog", "unstarted", "started"]);
    for filter in [
        json!({}),
        json!({"cycle": "current"}),
        json!({"module": "disaster recovery"}),
        json!({"state": ["in progress", "waiting for vendor"]}),
        json!({"state_group": open, "target_before": "2026-11-20"}),
        json!({"priority": ["urgent", "high"], "assignee": ["dave"]}),
        json!({"assignee": "none"}),
        json!({"assignee": ["none", "me"]}),
        json!({"label": "incident", "state_group": open}),
        json!({"created_by": "bob", "target_after": "2026-11-22"}),
        json!({"parent": "OPS-10"}),
        json!({"text": "BACKUP"}),
        json!({"updated_since": "2026-11-20"}),
        json!({"cycle": "Ops 8", "priority": "high"}),
    ] {
        let mut arguments = filter.clone();
        arguments["project"] = json!("OPS");
        arguments["per_page"] = json!(100);
        for order in ["-created_at", "priority", "target_date", "-updated_at"] {
            arguments["order_by"] = json!(order);
            let one = session.ask("list_work_items", arguments.clone()).await;
            let other = key.ask("list_work_items", arguments.clone()).await;
            assert_eq!(one["total"], other["total"], "{arguments}");
            assert_eq!(sorted(identifiers(&one)), sorted(identifiers(&other)), "{arguments}");
            assert_eq!(one["total"], identifiers(&one).len(), "{arguments}");
        }
        // Sixty requests a minute are what a key has.
        stack.plane.reset();
    }
}

#[tokio::test]
async fn what_a_manager_asks_is_answered_for_the_whole_workspace() {
    let stack = company().start().await.unwrap();
    let alice = signed_in(&stack, "alice").await;
    let open = json!(["backlog", "unstarted", "started"]);
    let overdue = json!({"state_group": open, "target_before": "2026-11-20", "order_by": "target_date"});
    assert_eq!(sorted(alice.list(overdue).await), ["MKT-3", "OPS-1", "OPS-2"]);
    let urgent = alice.ask("list_work_items", json!({"order_by": "priority", "per_page": 100})).await;
    let rank =
        |row: &Value| ["urgent", "high", "medium", "low"].iter().position(|word| row["priority"] == *word);
    let ranks: Vec<usize> =
        urgent["work_items"].as_array().unwrap().iter().map(|row| rank(row).unwrap_or(4)).collect();
    assert!(ranks.is_sorted() && ranks.contains(&0) && ranks.contains(&4), "{ranks:?}");
    let mine = alice.ask("list_work_items", json!({"assignee": "carol", "fields": "assignees"})).await;
    assert!(mine["total"].as_u64().unwrap() > 0);
    for row in mine["work_items"].as_array().unwrap() {
        assert!(row["assignees"].to_string().contains("carol"), "{row}");
    }
}

#[tokio::test]
async fn pages_are_all_of_it_once() {
    let stack = company().start().await.unwrap();
    let (session, key) = (signed_in(&stack, "alice").await, keyed(&stack, "alice"));
    for (asker, arguments) in [
        (&session, json!({})),
        (&session, json!({"project": "ENG"})),
        (&session, json!({"project": "ENG", "assignee": "me"})),
        (&session, json!({"assignee": "none"})),
        (&key, json!({"project": "ENG", "priority": ["high", "medium", "low"]})),
    ] {
        let (mut seen, mut arguments) = (Vec::new(), arguments);
        let total = loop {
            arguments["per_page"] = json!(4);
            let page = asker.ask("list_work_items", arguments.clone()).await;
            seen.extend(identifiers(&page));
            match page.get("next_cursor") {
                Some(cursor) => arguments["cursor"] = cursor.clone(),
                None => break page["total"].clone(),
            }
        };
        assert_eq!(total, seen.len(), "{arguments}");
        let mut once = sorted(seen.clone());
        once.dedup();
        assert_eq!(once.len(), seen.len(), "{arguments}");
    }
}

async fn relations(asker: &Asker, item: &str) -> Value {
    let arguments = json!({"work_item": item, "include": ["relations"]});
    asker.ask("retrieve_work_item", arguments).await["relations"].clone()
}

#[tokio::test]
async fn relations_are_named_but_not_those_the_user_may_not_see() {
    let stack = company().start().await.unwrap();
    let (alice, bob) = (signed_in(&stack, "alice").await, signed_in(&stack, "bob").await);
    let blockers = relations(&alice, "OPS-5").await["blocked_by"].clone();
    let names: Vec<&str> =
        blockers.as_array().unwrap().iter().map(|row| row["identifier"].as_str().unwrap()).collect();
    assert_eq!(sorted(names.into_iter().map(str::to_owned).collect()), ["ENG-12", "OPS-2"]);
    assert!(blockers[0]["name"].is_string() && blockers[0]["state"].is_string());
    assert_eq!(relations(&alice, "OPS-13").await["relates_to"][0]["identifier"], "SEC-1");
    assert_eq!(relations(&bob, "OPS-13").await, json!({}));
    assert_eq!(relations(&keyed(&stack, "bob"), "OPS-13").await, json!({}));
    let named = relations(&keyed(&stack, "alice"), "OPS-5").await["blocked_by"].to_string();
    assert!(named.contains("\"OPS-2\"") && named.contains("\"project\":\"ENG\""), "{named}");
}

#[tokio::test]
async fn an_item_comes_with_what_hangs_on_it() {
    let stack = company().start().await.unwrap();
    for asker in [signed_in(&stack, "bob").await, keyed(&stack, "bob")] {
        let include = json!(["comments", "activity", "attachments", "links", "sub_items"]);
        let item = asker.ask("retrieve_work_item", json!({"work_item": "ops-1", "include": include})).await;
        assert_eq!(
            (item["identifier"].clone(), item["comments"]["total"].clone()),
            (json!("OPS-1"), json!(3))
        );
        assert!(item["comments"]["comments"][0]["edited_at"].is_string(), "newest first: {item}");
        let activity = item["activity"]["activity"].to_string();
        assert!(activity.contains("\"from\":\"high\",\"to\":\"urgent\""), "{activity}");
        let parent =
            asker.ask("retrieve_work_item", json!({"work_item": "OPS-10", "include": ["sub_items"]})).await;
        assert_eq!(sorted(identifiers(&parent["sub_items"])), ["OPS-11", "OPS-12"]);
        let child = asker.ask("retrieve_work_item", json!({"work_item": "OPS-11"})).await;
        assert_eq!(child["parent"], "OPS-10");
        let files =
            asker.ask("retrieve_work_item", json!({"work_item": "OPS-6", "include": ["attachments"]})).await;
        assert_eq!(files["attachments"][0]["name"], "alert.png");
        let oldest = asker.ask("list_comments", json!({"work_item": "OPS-1", "order": "oldest_first"})).await;
        let newest = asker.ask("list_comments", json!({"work_item": "OPS-1"})).await;
        let mut turned = newest["comments"].as_array().unwrap().clone();
        turned.reverse();
        assert_eq!(oldest["comments"], json!(turned));
        let id = newest["comments"][0]["id"].clone();
        let one = asker.ask("list_comments", json!({"work_item": "OPS-1", "comment": id})).await;
        assert_eq!(one["comments"][0]["text"], newest["comments"][0]["text"]);
        stack.plane.reset();
    }
    let alice = signed_in(&stack, "alice").await;
    let planned = alice.ask("retrieve_work_item", json!({"work_item": "OPS-4"})).await;
    assert_eq!(
        (planned["cycle"].clone(), planned["modules"].clone()),
        (json!("Ops 8"), json!(["Disaster recovery"]))
    );
}

#[tokio::test]
async fn search_finds_by_words_and_by_identifier() {
    let stack = company().start().await.unwrap();
    let alice = signed_in(&stack, "alice").await;
    let found = alice.ask("search_work_items", json!({"query": "ops-7"})).await;
    assert_eq!(found["work_items"][0]["identifier"], "OPS-7");
    assert!(found["work_items"][0]["state"].is_string());
    let bob = alice.ask("search_work_items", json!({"query": "secret"})).await;
    assert_eq!(identifiers(&bob), ["SEC-1"]);
    for asker in [signed_in(&stack, "bob").await, keyed(&stack, "bob")] {
        assert_eq!(
            asker.ask("search_work_items", json!({"query": "secret"})).await,
            json!({"total": 0, "work_items": []})
        );
    }
}

#[tokio::test]
async fn a_guest_sees_a_guests_part() {
    let stack = company().start().await.unwrap();
    stack.cognito.add_user("gus", "gus@example.com", &[]);
    let gus = signed_in(&stack, "gus").await;
    // The web application shows guests only what they created.
    let me = gus.ask("get_me", json!({})).await["id"].clone();
    let own = gus.ask("list_work_items", json!({"fields": "created_by", "per_page": 100})).await;
    assert!(own["total"].as_u64().unwrap() > 0, "{own}");
    for row in own["work_items"].as_array().unwrap() {
        // Guests may not see who else is there, so ids stay ids; their own may be named.
        assert!(row["created_by"] == me || row["created_by"] == "gus", "{row}");
    }
    for arguments in [
        json!({"project": "OPS"}),
        json!({"project": "OPS", "state_group": "backlog,unstarted,started,completed,cancelled"}),
    ] {
        assert_eq!(gus.ask("list_work_items", arguments).await["total"], own["total"]);
    }
    for tool in ["retrieve_work_item", "list_comments", "list_activity"] {
        let refused = gus.ask(tool, json!({"work_item": "OPS-1"})).await;
        assert_eq!(refused["code"], "permission.denied", "{tool} {refused}");
        let own = gus.ask(tool, json!({"work_item": "OPS-6"})).await;
        assert_eq!(own["code"], json!(null), "{tool} {own}");
    }
    let missing = gus.ask("list_work_items", json!({"project": "HIR"})).await;
    assert_eq!(missing["code"], "project.not_found");
}

#[tokio::test]
async fn what_the_operator_does_not_show_is_in_no_answer() {
    let stack = company().adapter_setting("plane.projects", vec!["acme/OPS"]).start().await.unwrap();
    for asker in [signed_in(&stack, "alice").await, keyed(&stack, "alice")] {
        for item in ["OPS-5", "OPS-13", "OPS-1"] {
            let include = json!(["comments", "links", "activity", "relations", "attachments", "sub_items"]);
            let answer =
                asker.ask("retrieve_work_item", json!({"work_item": item, "include": include})).await;
            assert_eq!(answer["identifier"], item, "{answer}");
            for hidden in ["ENG-12", "SEC-1", "Top secret"] {
                assert!(!answer.to_string().contains(hidden), "{answer}");
            }
        }
        let found = asker.ask("search_work_items", json!({"query": "e", "limit": 100})).await;
        assert!(identifiers(&found).iter().all(|key| key.starts_with("OPS-")), "{found}");
        for (tool, arguments, code) in [
            ("retrieve_work_item", json!({"work_item": "ENG-1"}), "project.not_found"),
            ("list_comments", json!({"work_item": "ENG-1"}), "project.not_found"),
            ("list_activity", json!({"work_item": "SEC-1"}), "project.not_found"),
            ("list_work_items", json!({"project": "ENG"}), "project.not_found"),
            ("list_work_items", json!({"project": "OPS", "parent": "ENG-24"}), "project.not_found"),
        ] {
            assert_eq!(asker.ask(tool, arguments).await["code"], code, "{tool}");
        }
        stack.plane.reset();
    }
    let alice = signed_in(&stack, "alice").await;
    let all = alice.ask("list_work_items", json!({"per_page": 100})).await;
    assert_eq!((all["total"].clone(), identifiers(&all).len()), (json!(14), 14));
    assert!(identifiers(&all).iter().all(|key| key.starts_with("OPS-")));
}
