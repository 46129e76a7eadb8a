//! The tool evaluation: the tools answer what project managers ask, and their descriptions lead there.

use std::{fs, path::Path};

use serde_json::{Value, json};
use stack::{
    client::Era,
    evaluation::{Ranking, questions},
    plane::Sample,
    stack::Stack,
};

/// How many questions there are, and for how many the right tool must be among the first [`TOP`].
const QUESTIONS: usize = 40;
const TOP: usize = 3;
const ENOUGH: usize = 36;

#[tokio::test]
async fn every_question_is_answered_and_its_tool_is_found_by_its_words() {
    let stack = Stack::builder().plane(|plane| plane.sample = Sample::Company).start().await.unwrap();
    stack.cognito.add_user("carol", "carol@example.com", &[]);
    let session = stack.sign_in("alice").await.unwrap();
    let listed = session.call(Era::Modern, "tools/list", &Value::Null).await.unwrap();
    let ranking = Ranking::of(listed["tools"].as_array().unwrap());
    let questions = questions().unwrap();
    assert_eq!(questions.len(), QUESTIONS);

    let (mut report, mut wrong, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
    for question in &questions {
        let asker = match question.user.as_str() {
            "alice" => session.clone(),
            other => stack.sign_in(other).await.unwrap(),
        };
        let requests = stack.plane.requests().len();
        let (found, bytes) = match question.put(&asker).await {
            Ok(answered) => (answered.found, answered.bytes),
            Err(trouble) => (json!({"trouble": trouble.to_string()}), 0),
        };
        let requests = stack.plane.requests().len() - requests;
        let is_right = in_any_order(found.clone()) == in_any_order(question.answer.is.clone());
        if !is_right {
            wrong.push(format!("{}\n  expected {}\n  found    {found}", question.ask, question.answer.is));
        }
        let ranked = ranking.rank(&question.ask);
        let rank = ranked.iter().position(|name| *name == question.tool()).map_or(usize::MAX, |at| at + 1);
        if rank > TOP {
            hidden.push(format!("{}\n  {} after {:?}", question.ask, question.tool(), &ranked[..TOP]));
        }
        report.push(json!({
            "question": question.ask, "tool": question.tool(), "rank": rank, "calls": question.calls.len(),
            "plane_requests": requests, "answer_bytes": bytes, "right": is_right,
        }));
    }
    keep(
        &json!({"tools": listed["tools"], "questions": report, "right": QUESTIONS - wrong.len(), "found_in_top_3": QUESTIONS - hidden.len()}),
    );
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(QUESTIONS - hidden.len() >= ENOUGH, "{} tools are hidden:\n{}", hidden.len(), hidden.join("\n"));
}

fn in_any_order(mut value: Value) -> Value {
    if let Value::Array(items) = &mut value {
        items.sort_by_key(Value::to_string);
    }
    value
}

/// Keeps the figures as `target/reports/evaluation.json`.
fn keep(report: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("evaluation.json"), serde_json::to_vec_pretty(report).unwrap()).unwrap();
}
