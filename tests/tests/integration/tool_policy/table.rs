//! Every tool, asked for what lies in OPS, the one project shown, and for what does not.

use serde_json::Value;
use stack::stack::Stack;

/// One question to a tool.
pub(crate) struct Case {
    pub(crate) tool: &'static str,
    /// The arguments as JSON; `$ENG`, `$LAB`, `$ITEM` and `$OPS5` stand for ids of projects and of the items ENG-12 and OPS-5.
    pub(crate) asks: &'static str,
    pub(crate) seen: Seen,
}

/// What becomes of the answer when only OPS is shown.
pub(crate) enum Seen {
    /// It was an answer, and is now what is said about what does not exist: `ZZZ` for `ENG`, `zeta` for `beta`, another id.
    Hidden,
    /// It never was one, and is what is said about what does not exist.
    Never,
    /// It still holds the first and no longer the second.
    Sifted { kept: &'static str, gone: &'static str },
    /// It is the same.
    Same,
}

const fn hidden(tool: &'static str, asks: &'static str) -> Case {
    Case { tool, asks, seen: Seen::Hidden }
}

const fn never(tool: &'static str, asks: &'static str) -> Case {
    Case { tool, asks, seen: Seen::Never }
}

const fn sifted(tool: &'static str, asks: &'static str, kept: &'static str, gone: &'static str) -> Case {
    Case { tool, asks, seen: Seen::Sifted { kept, gone } }
}

const fn same(tool: &'static str, asks: &'static str) -> Case {
    Case { tool, asks, seen: Seen::Same }
}

/// Every tool is here at least once.
pub(crate) const CASES: &[Case] = &[
    same("get_me", "{}"),
    hidden("list_cycles", r#"{"project": "ENG"}"#),
    hidden("list_cycles", r#"{"project": "$ENG"}"#),
    same("list_cycles", r#"{"project": "OPS"}"#),
    hidden("list_cycles", r#"{"workspace_slug": "beta", "project": "LAB"}"#),
    hidden("list_intake", r#"{"project": "ENG"}"#),
    hidden("list_intake", r#"{"project": "$ENG"}"#),
    same("list_intake", r#"{"project": "OPS"}"#),
    hidden("list_labels", r#"{"project": "ENG"}"#),
    hidden("list_labels", r#"{"project": "$ENG"}"#),
    same("list_labels", r#"{"project": "OPS"}"#),
    same("list_members", "{}"),
    hidden("list_members", r#"{"project": "ENG"}"#),
    hidden("list_members", r#"{"project": "$ENG"}"#),
    hidden("list_members", r#"{"workspace_slug": "beta"}"#),
    hidden("list_modules", r#"{"project": "ENG"}"#),
    hidden("list_modules", r#"{"project": "$ENG"}"#),
    same("list_modules", r#"{"project": "OPS"}"#),
    sifted("list_projects", "{}", "OPS", "ENG"),
    sifted("list_projects", "{}", "OPS", "MKT"),
    hidden("list_projects", r#"{"workspace_slug": "beta"}"#),
    hidden("list_states", r#"{"project": "ENG"}"#),
    hidden("list_states", r#"{"project": "$ENG"}"#),
    same("list_states", r#"{"project": "OPS"}"#),
    sifted("list_workspaces", "{}", "acme", "beta"),
    hidden("retrieve_cycle", r#"{"project": "ENG", "cycle": "Sprint 42"}"#),
    hidden("retrieve_cycle", r#"{"project": "$ENG", "cycle": "current"}"#),
    same("retrieve_cycle", r#"{"project": "OPS", "cycle": "current"}"#),
    hidden("retrieve_module", r#"{"project": "ENG", "module": "Auth revamp"}"#),
    same("retrieve_module", r#"{"project": "OPS", "module": "Cost cutting"}"#),
    hidden("retrieve_project", r#"{"project": "ENG"}"#),
    hidden("retrieve_project", r#"{"project": "$ENG"}"#),
    same("retrieve_project", r#"{"project": "OPS"}"#),
    hidden("retrieve_project", r#"{"workspace_slug": "beta", "project": "$LAB"}"#),
    hidden("list_activity", r#"{"work_item": "ENG-12"}"#),
    hidden("list_activity", r#"{"work_item": "$ITEM", "project": "ENG"}"#),
    never("list_activity", r#"{"work_item": "$ITEM", "project": "OPS"}"#),
    same("list_activity", r#"{"work_item": "OPS-1"}"#),
    hidden("list_comments", r#"{"work_item": "ENG-2"}"#),
    hidden("list_comments", r#"{"work_item": "$ITEM", "project": "$ENG"}"#),
    never("list_comments", r#"{"work_item": "$ITEM", "project": "OPS"}"#),
    same("list_comments", r#"{"work_item": "OPS-1"}"#),
    hidden("list_work_items", r#"{"project": "ENG"}"#),
    hidden("list_work_items", r#"{"project": "$ENG"}"#),
    hidden("list_work_items", r#"{"project": "ENG", "assignee": ["me"]}"#),
    hidden("list_work_items", r#"{"parent": "ENG-24"}"#),
    hidden("list_work_items", r#"{"cycle": "Sprint 42"}"#),
    hidden("list_work_items", r#"{"module": "Auth revamp"}"#),
    hidden("list_work_items", r#"{"label": ["backend"]}"#),
    hidden("list_work_items", r#"{"state": ["In Review"]}"#),
    hidden("list_work_items", r#"{"workspace_slug": "beta"}"#),
    same("list_work_items", r#"{"project": "OPS"}"#),
    same("list_work_items", r#"{"parent": "OPS-10"}"#),
    same(
        "list_work_items",
        r#"{"project": "OPS", "cycle": "current", "fields": ["name", "cycle", "parent"]}"#,
    ),
    sifted("list_work_items", r#"{"per_page": 100}"#, "OPS-1", "ENG-1"),
    sifted("list_work_items", r#"{"per_page": 100, "state_group": ["backlog", "started"]}"#, "OPS-", "ENG-"),
    sifted(
        "list_work_items",
        r#"{"per_page": 100, "assignee": ["alice"], "fields": ["parent"]}"#,
        "OPS-",
        "ENG-",
    ),
    sifted("list_work_items", r#"{"per_page": 100, "label": ["none"]}"#, "OPS-", "MKT-"),
    hidden("retrieve_work_item", r#"{"work_item": "ENG-12"}"#),
    hidden("retrieve_work_item", r#"{"work_item": "$ITEM", "project": "ENG"}"#),
    never("retrieve_work_item", r#"{"work_item": "$ITEM", "project": "OPS"}"#),
    never("retrieve_work_item", r#"{"work_item": "$OPS5", "project": "ENG"}"#),
    same("retrieve_work_item", r#"{"work_item": "OPS-5"}"#),
    same("retrieve_work_item", r#"{"work_item": "$OPS5", "project": "OPS"}"#),
    sifted("retrieve_work_item", r#"{"work_item": "OPS-5", "include": ["relations"]}"#, "OPS-2", "ENG-12"),
    sifted(
        "retrieve_work_item",
        r#"{"work_item": "OPS-13", "include": ["relations", "activity", "sub_items"]}"#,
        "OPS-13",
        "SEC-1",
    ),
    hidden("search_work_items", r#"{"query": "e", "project": "ENG"}"#),
    sifted("search_work_items", r#"{"query": "e", "limit": 100}"#, "OPS-", "ENG-"),
    hidden("search_work_items", r#"{"query": "e", "workspace_slug": "beta"}"#),
];

/// In the world of the tests no id is so.
pub(crate) const ABSENT: &str = "00000000-0000-4000-8000-00000000dead";

/// Success or not, and the text.
pub(crate) type Answer = (bool, String);

impl Case {
    /// The arguments; with [`ABSENT`] as id, the same about what does not exist.
    pub(crate) fn arguments(&self, stack: &Stack, id: &str) -> Value {
        let fill = |text: String, (name, real): &(&str, String)| {
            text.replace(name, if id == ABSENT { ABSENT } else { real })
        };
        let text = ids(stack).iter().fold(self.asks.to_owned(), fill);
        let text = if id == ABSENT { as_absent(&text) } else { text };
        serde_json::from_str(&text).unwrap()
    }

    /// Whether the limit did what it must. `everything` says that each case must be answered without the limit.
    pub(crate) fn check(
        &self,
        stack: &Stack,
        open: &Answer,
        limited: &Answer,
        absent: &Answer,
        everything: bool,
    ) -> Result<(), &'static str> {
        let must = |is: bool, why| if is { Ok(()) } else { Err(why) };
        let strange = ["ENG", "MKT", "SEC", "OLD", "HIR", "LAB"];
        let foreign: Vec<String> = strange.iter().filter_map(|name| stack.plane.project_id(name)).collect();
        let names = strange.iter().map(|name| format!("\"{name}"));
        if limited.0 && names.chain(foreign).any(|name| limited.1.contains(&name)) {
            return Err("another project is named");
        }
        // What this way of asking never gets, the limit cannot take away.
        if !open.0 && !everything && !matches!(self.seen, Seen::Never) {
            return must(!limited.0, "the limit gave something");
        }
        match &self.seen {
            Seen::Same => {
                must(open.0, "no answer without the limit")?;
                must(open == limited, "not the same")
            }
            Seen::Sifted { kept, gone } => {
                let all = open.1.contains(kept) && (open.1.contains(gone) || !everything);
                must(open.0 && all, "nothing to sift")?;
                must(limited.0 && limited.1.contains(kept), "what may be shown is gone")?;
                must(!limited.1.contains(gone), "what may not be shown is there")?;
                let total =
                    |answer: &Answer| serde_json::from_str::<Value>(&answer.1).unwrap()["total"].as_u64();
                must(
                    total(limited).is_none() || total(limited) < total(open),
                    "what may not be shown is counted",
                )
            }
            Seen::Hidden | Seen::Never => {
                must(open.0 == matches!(self.seen, Seen::Hidden), "without the limit otherwise")?;
                must(!limited.0 && !absent.0, "an answer")?;
                let ids = ids(stack);
                let said = ids.iter().fold(limited.1.clone(), |text, (_, id)| text.replace(id, ABSENT));
                must(as_absent(&said) == absent.1, "told from what does not exist")
            }
        }
    }
}

fn ids(stack: &Stack) -> [(&'static str, String); 4] {
    let plane = &stack.plane;
    [
        ("$ENG", plane.project_id("ENG").unwrap()),
        ("$LAB", plane.project_id("LAB").unwrap()),
        ("$ITEM", plane.work_item_id("ENG-12").unwrap()),
        ("$OPS5", plane.work_item_id("OPS-5").unwrap()),
    ]
}

fn as_absent(text: &str) -> String {
    let hidden = [
        ("ENG", "ZZZ"),
        ("LAB", "ZZZ"),
        ("beta", "zeta"),
        ("Sprint 42", "Sprint 4x"),
        ("Auth revamp", "Auth revaxx"),
        ("backend", "backenx"),
        ("In Review", "In Reviex"),
    ];
    hidden.iter().fold(text.to_owned(), |text, (real, absent)| text.replace(real, absent))
}
