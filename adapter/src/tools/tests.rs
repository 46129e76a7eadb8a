use super::*;

#[test]
fn the_table_is_sorted_and_every_name_is_valid() {
    assert!(TOOLS.is_sorted_by(|one, next| one.name < next.name));
    for entry in TOOLS {
        assert!(entry.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", entry.name);
    }
}

#[test]
fn hints_name_only_tools_that_exist() {
    for code in [Code::WorkspaceRequired, Code::ProjectNotFound, Code::WorkItemNotFound] {
        let failure: serde_json::Value =
            serde_json::from_str(&Failure::of(code, "x").to_json(|_| true)).unwrap();
        for tool in failure["recovery"]["tools"].as_array().unwrap() {
            assert!(TOOLS.iter().any(|entry| entry.name == tool.as_str().unwrap()), "{tool}");
        }
    }
}

#[test]
fn hints_name_only_tools_that_are_offered() {
    let failure = Failure::of(Code::WorkItemNotFound, "x");
    let read = |failure: &Failure, offered: &[&str]| -> serde_json::Value {
        serde_json::from_str(&failure.to_json(|tool| offered.contains(&tool))).unwrap()
    };
    let some = read(&failure, &["search_work_items"]);
    assert_eq!(some["recovery"]["tools"], json!(["search_work_items"]));
    assert_eq!(some["recovery"]["hint"], failure.hint);
    for code in [Code::WorkItemNotFound, Code::WorkspaceRequired, Code::ProjectNotFound, Code::StateNotFound]
    {
        let text = read(&Failure::of(code, "x"), &[]).to_string();
        assert!(TOOLS.iter().all(|entry| !text.contains(entry.name)), "{text}");
    }
}

#[test]
fn the_schema_says_what_the_check_does() {
    let search = TOOLS.iter().find(|entry| entry.action == Action::SearchWorkItems).unwrap().schema();
    assert_eq!(search["required"], json!(["query"]));
    assert_eq!(
        search["properties"]["limit"],
        json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 25})
    );
    let me = TOOLS.iter().find(|entry| entry.action == Action::GetMe).unwrap().schema();
    assert_eq!(me["properties"], json!({}));
}
