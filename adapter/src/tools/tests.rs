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

#[test]
fn a_call_is_a_small_future() {
    fn size<F: Future>(_: impl Fn(&'static Call<'static>, Action) -> F) -> usize {
        size_of::<F>()
    }
    // The threads that serve have small stacks, and a future passes through several frames of one.
    assert!(size(Call::run) < 16 * 1024, "{}", size(Call::run));
}

#[test]
fn the_whole_list_is_short() {
    let tools: Vec<Tool> = TOOLS.iter().map(Entry::listed).collect();
    let bytes = serde_json::to_string(&tools).unwrap().len();
    // 12,000 with what the protocol puts around them.
    assert!(bytes <= 11_800, "{bytes} bytes");
}

#[test]
fn every_tool_says_what_it_is_for() {
    for entry in TOOLS {
        assert!(entry.description.len() > 40 && entry.description.ends_with('.'), "{}", entry.name);
        assert!(!entry.title.is_empty() && !entry.description.contains("  "), "{}", entry.name);
    }
}

#[test]
fn the_documentation_names_every_tool() {
    let documented = include_str!("../../../docs/tools.md");
    for entry in TOOLS {
        assert!(documented.contains(&format!("`{}`", entry.name)), "docs/tools.md lacks {}", entry.name);
    }
}
