//! Who sees what: every tool, asked by the owner of a workspace, a member, a guest and an outsider, answers what that person may
//! see in Plane, and no more.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{
    adapter::{Adapter, Surroundings},
    certificate::Authority,
    client::{Era, McpClient},
    cognito::{CognitoDouble, CognitoOptions},
    plane::{FrontOptions, PlaneAuth, PlaneDouble, PlaneOptions, Sample},
    stack::WORKSPACE,
};

/// The owner, a member, a guest, an outsider.
const USERS: [&str; 4] = ["alice", "bob", "gus", "olga"];
/// What must never be in an answer for somebody: alice is not in the secret project HIR, bob not in the secret project SEC, gus in
/// neither, olga in none.
const HIDDEN: [(&str, &[&str]); 4] = [
    ("alice", &["HIR-", "Hiring", "Interview plan", "second candidate"]),
    ("bob", &["SEC-", "Secret Project", "Top secret", "Beta Labs"]),
    ("gus", &["SEC-", "Secret Project", "Top secret", "HIR-", "Hiring", "Interview plan", "Beta Labs"]),
    (
        "olga",
        &[
            "Engineering",
            "Operations",
            "Secret Project",
            "Hiring",
            "OPS-",
            "SEC-",
            "HIR-",
            "carol",
            "Beta Labs",
        ],
    ),
];

/// What somebody gets.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// An answer that holds the first and not the second.
    Sees(&'static [&'static str], &'static [&'static str]),
    /// A failure with this code.
    Code(&'static str),
}
use Gets::{Code, Sees};

const NO_WORKSPACE: Gets = Code("workspace.not_found");
const NO_PROJECT: Gets = Code("project.not_found");
const DENIED: Gets = Code("permission.denied");

/// A tool, its arguments, and what each of [`USERS`] gets. `{SEC}` stands for the id of that project.
type Row = (&'static str, &'static str, [Gets; 4]);

/// What all but the outsider see.
const fn inside(words: &'static [&'static str]) -> [Gets; 4] {
    [Sees(words, &[]), Sees(words, &[]), Sees(words, &[]), NO_WORKSPACE]
}

/// What only alice sees.
const fn of_alice(words: &'static [&'static str]) -> [Gets; 4] {
    [Sees(words, &[]), NO_PROJECT, NO_PROJECT, NO_WORKSPACE]
}

/// What only bob sees.
const fn of_bob(words: &'static [&'static str]) -> [Gets; 4] {
    [NO_PROJECT, Sees(words, &[]), NO_PROJECT, NO_WORKSPACE]
}

/// What a public project holds, for those who have not joined it: bob and gus.
const fn joined_by_alice(words: &'static [&'static str]) -> [Gets; 4] {
    [Sees(words, &[]), DENIED, DENIED, NO_WORKSPACE]
}

const ROWS: &[Row] = &[
    (
        "get_me",
        "{}",
        [
            Sees(&["alice@example.com"], &["bob"]),
            Sees(&["bob@example.com"], &["alice"]),
            Sees(&["gus@example.com"], &["alice"]),
            Sees(&["olga@example.com"], &["alice"]),
        ],
    ),
    (
        "list_workspaces",
        "{}",
        [
            Sees(&["acme", "beta"], &["olga-ws"]),
            Sees(&["acme"], &["beta", "olga-ws"]),
            Sees(&["acme"], &["beta", "olga-ws"]),
            Sees(&["olga-ws"], &["acme", "beta"]),
        ],
    ),
    (
        "list_members",
        "{}",
        [Sees(&["carol", "dave"], &["olga"]), Sees(&["carol", "dave"], &["olga"]), DENIED, NO_WORKSPACE],
    ),
    ("list_members", r#"{"project": "OPS"}"#, inside(&["dave", "gus"])),
    ("list_members", r#"{"project": "SEC"}"#, of_alice(&["alice"])),
    ("list_members", r#"{"project": "HIR"}"#, of_bob(&["carol"])),
    (
        "list_projects",
        "{}",
        [
            Sees(&["ENG", "OPS", "MKT", "SEC"], &[]),
            Sees(&["ENG", "OPS", "MKT", "HIR"], &[]),
            Sees(&["ENG", "OPS"], &[]),
            NO_WORKSPACE,
        ],
    ),
    (
        "retrieve_project",
        r#"{"project": "ENG"}"#,
        [Sees(&["counts"], &[]), Sees(&["counts"], &[]), Sees(&["Engineering"], &["counts"]), NO_WORKSPACE],
    ),
    (
        "retrieve_project",
        r#"{"project": "MKT"}"#,
        [
            Sees(&["counts"], &[]),
            Sees(&["\"is_member\":false"], &["counts"]),
            Sees(&["\"is_member\":false"], &["counts"]),
            NO_WORKSPACE,
        ],
    ),
    ("retrieve_project", r#"{"project": "SEC"}"#, of_alice(&["counts"])),
    ("retrieve_project", r#"{"project": "{SEC}"}"#, of_alice(&["counts"])),
    ("retrieve_project", r#"{"project": "HIR"}"#, of_bob(&["counts"])),
    ("retrieve_project", r#"{"project": "{HIR}"}"#, of_bob(&["counts"])),
    ("list_states", r#"{"project": "OPS"}"#, inside(&["Waiting for vendor"])),
    ("list_states", r#"{"project": "MKT"}"#, joined_by_alice(&["Todo"])),
    ("list_states", r#"{"project": "{SEC}"}"#, of_alice(&["Todo"])),
    ("list_labels", r#"{"project": "OPS"}"#, inside(&["incident"])),
    ("list_labels", r#"{"project": "MKT"}"#, joined_by_alice(&["blog"])),
    ("list_cycles", r#"{"project": "OPS"}"#, inside(&["Ops 8"])),
    ("list_cycles", r#"{"project": "MKT"}"#, joined_by_alice(&["November push"])),
    ("list_cycles", r#"{"project": "HIR"}"#, of_bob(&["\"total\":0"])),
    ("retrieve_cycle", r#"{"project": "OPS", "cycle": "current"}"#, inside(&["Ops 8"])),
    ("list_modules", r#"{"project": "OPS"}"#, inside(&["Cost cutting"])),
    ("list_modules", r#"{"project": "MKT"}"#, joined_by_alice(&["Launch"])),
    ("retrieve_module", r#"{"project": "OPS", "module": "Cost cutting"}"#, inside(&["Cost cutting"])),
    (
        "list_intake",
        r#"{"project": "OPS"}"#,
        [
            Sees(&["OPS-15", "OPS-16"], &[]),
            Sees(&["OPS-15", "OPS-16"], &[]),
            Sees(&["OPS-15"], &["OPS-16"]),
            NO_WORKSPACE,
        ],
    ),
    ("list_work_items", r#"{"project": "OPS"}"#, inside(&["OPS-9"])),
    ("list_work_items", r#"{"project": "MKT"}"#, joined_by_alice(&["MKT-2"])),
    ("list_work_items", r#"{"project": "SEC"}"#, of_alice(&["SEC-1"])),
    ("list_work_items", r#"{"project": "{HIR}"}"#, of_bob(&["HIR-1"])),
    (
        "list_work_items",
        r#"{"priority": ["urgent"]}"#,
        [Sees(&["SEC-1", "OPS-1"], &[]), Sees(&["HIR-2", "OPS-1"], &[]), Sees(&["OPS-6"], &[]), NO_WORKSPACE],
    ),
    ("retrieve_work_item", r#"{"work_item": "OPS-9"}"#, inside(&["Guest Wi-Fi"])),
    ("retrieve_work_item", r#"{"work_item": "MKT-2"}"#, joined_by_alice(&["launch blog post"])),
    ("retrieve_work_item", r#"{"work_item": "SEC-1"}"#, of_alice(&["Top secret plan"])),
    ("retrieve_work_item", r#"{"work_item": "HIR-1"}"#, of_bob(&["Interview plan"])),
    (
        "retrieve_work_item",
        r#"{"work_item": "OPS-13", "include": ["relations"]}"#,
        [
            // With a key Plane tells the project, signed in the identifier.
            Sees(&["relates_to", "SEC"], &[]),
            Sees(&["hosting contract"], &["{SEC-1}", "{SEC}"]),
            // Not the guest's own: the web application refuses, the public API shows it.
            Sees(&[], &["{SEC-1}", "{SEC}"]),
            NO_WORKSPACE,
        ],
    ),
    (
        "search_work_items",
        r#"{"query": "plan"}"#,
        [Sees(&["SEC-1", "ENG-4"], &[]), Sees(&["ENG-4", "HIR-1"], &[]), Sees(&["ENG-4"], &[]), NO_WORKSPACE],
    ),
    ("list_comments", r#"{"work_item": "OPS-6"}"#, inside(&["full again"])),
    ("list_comments", r#"{"work_item": "SEC-1"}"#, of_alice(&[])),
    (
        "list_activity",
        r#"{"work_item": "OPS-1"}"#,
        [Sees(&["dave"], &[]), Sees(&["dave"], &[]), Sees(&[], &[]), NO_WORKSPACE],
    ),
    ("list_activity", r#"{"work_item": "SEC-1"}"#, of_alice(&[])),
];

/// What callers show the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    IdToken,
    /// The caller's own key for Plane.
    ApiKey,
}

/// The adapter before a Plane with the company in it.
struct Bench {
    credential: Credential,
    cognito: CognitoDouble,
    plane: PlaneDouble,
    /// Runs as long as the bench.
    _adapter: Adapter,
    client: McpClient,
}

impl Bench {
    async fn start(auth: PlaneAuth, credential: Credential) -> Self {
        let cognito = CognitoDouble::start(CognitoOptions::default()).await.unwrap();
        for user in USERS {
            if cognito.user(user).is_none() {
                cognito.add_user(user, &format!("{user}@example.com"), &[]);
            }
        }
        let keys = format!("{}/.well-known/jwks.json", cognito.issuer_url());
        let front = FrontOptions::new(keys, cognito.issuer_url(), &cognito.client_id);
        let options =
            PlaneOptions { auth, sample: Sample::Company, front: Some(front), ..PlaneOptions::default() };
        let plane = PlaneDouble::start(options).await.unwrap();
        let surroundings = Surroundings {
            issuer: cognito.issuer_url().to_owned(),
            client_id: cognito.client_id.clone(),
            plane_front: plane.front_url(),
            plane: plane.url(),
            workspace: WORKSPACE.to_owned(),
        };
        let adapter = Adapter::start(&surroundings.settings()).await.unwrap();
        let client = McpClient::new(&adapter.endpoint, &Authority::new().unwrap().pem()).unwrap();
        Self { credential, cognito, plane, _adapter: adapter, client }
    }

    async fn result(&self, user: &str, method: &str, params: &Value) -> Value {
        let token = match self.credential {
            Credential::IdToken => self.cognito.mint_id_token(user, &json!({})).unwrap(),
            Credential::ApiKey => String::new(),
        };
        let mut request = self.client.rpc(Era::Modern, &token, method, params).unwrap();
        if self.credential == Credential::ApiKey {
            request = request.header("x-api-key", self.plane.api_key_for(user));
        }
        self.client.send(request).await.unwrap().json["result"].clone()
    }

    /// Each tool's schema.
    async fn offered(&self) -> BTreeMap<String, Value> {
        let result = self.result("alice", "tools/list", &Value::Null).await;
        let tools = result["tools"].as_array().unwrap().clone();
        let named = |tool: &Value| (tool["name"].as_str().unwrap().to_owned(), tool["inputSchema"].clone());
        tools.iter().map(named).collect()
    }

    /// What a text with placeholders stands for.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for project in ["SEC", "HIR"] {
            text = text.replace(&format!("{{{project}}}"), &self.plane.project_id(project).unwrap());
        }
        text.replace("{SEC-1}", &self.plane.work_item_id("SEC-1").unwrap())
    }

    /// What is wrong with what `user` gets, if anything.
    async fn check(&self, user: &str, (tool, arguments, gets): &(&str, String, Gets)) -> Option<String> {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let params = json!({ "name": tool, "arguments": arguments });
        let result = self.result(user, "tools/call", &params).await;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        let failed = result["isError"] == true;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        // A failure repeats what was asked for: that tells nothing.
        let hidden = HIDDEN.iter().filter(|(name, _)| *name == user && !failed).flat_map(|(_, words)| *words);
        let leaked = hidden.copied().find(|word| text.contains(word)).map(|word| format!("shows \"{word}\""));
        let wrong = match gets {
            Code(code) => (answer["code"] != *code).then(|| format!("is not {code}")),
            // Nothing promised: a refusal is fine too.
            Sees(all, none) if !failed || !all.is_empty() => {
                let missing = all.iter().find(|word| failed || !text.contains(**word));
                let extra = none.iter().find(|word| text.contains(&self.filled(word)));
                missing.map(|word| format!("lacks {word}")).or(extra.map(|word| format!("holds {word}")))
            }
            Sees(..) => None,
        };
        let wrong = leaked.or(wrong)?;
        Some(format!("{user}: {tool} {arguments} {wrong}: {text}"))
    }
}

#[tokio::test]
async fn signed_in_users_see_what_plane_shows_them_and_no_more() {
    all_rows_hold(&Bench::start(PlaneAuth::Fork, Credential::IdToken).await).await;
}

#[tokio::test]
async fn signed_in_users_see_the_same_through_keys_made_for_them() {
    all_rows_hold(&Bench::start(PlaneAuth::Keyed, Credential::IdToken).await).await;
}

#[tokio::test]
async fn owners_of_keys_see_the_same_as_when_they_are_signed_in() {
    all_rows_hold(&Bench::start(PlaneAuth::Stock, Credential::ApiKey).await).await;
}

async fn all_rows_hold(bench: &Bench) {
    let offered = bench.offered().await;
    let known: Vec<&str> = ROWS.iter().map(|(tool, ..)| *tool).collect();
    let unknown: Vec<&String> = offered.keys().filter(|tool| !known.contains(&tool.as_str())).collect();
    assert!(unknown.is_empty(), "who sees what with these tools is not written down: {unknown:?}");
    // Where workspaces and whole workspaces need a session, keys are told so: other tests show that.
    let with_key = bench.credential == Credential::ApiKey;
    let needs_session = |(tool, arguments, _): &&Row| {
        *tool == "list_workspaces" || (*tool == "list_work_items" && !arguments.contains("project"))
    };
    let rows: Vec<_> = ROWS.iter().filter(|row| !(with_key && needs_session(row))).collect();
    let checks = USERS.iter().enumerate().map(|(place, user)| {
        let rows = &rows;
        async move {
            let mut wrong = Vec::new();
            for (tool, arguments, gets) in rows {
                let arguments = bench.filled(arguments);
                wrong.extend(bench.check(user, &(tool, arguments, gets[place])).await);
            }
            wrong
        }
    });
    let wrong = join_all(checks).await.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let secret = format!("/projects/{}/summary/", bench.plane.project_id("SEC").unwrap());
    let asking = bench.plane.requests().into_iter().filter(|request| request.path.ends_with(&secret));
    let asking: Vec<_> = asking.filter_map(|request| request.user).collect();
    assert!(
        asking.iter().all(|user| user == "alice@example.com"),
        "a secret project's counts are asked for by its members only: {asking:?}"
    );
}
