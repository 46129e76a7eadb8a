use serde_json::json;

use super::*;
use crate::tools::Code;

static PARAMETERS: &[Parameter] = &[
    Parameter { name: "word", shape: Shape::Text(5), required: true, description: "" },
    Parameter {
        name: "count",
        shape: Shape::Integer { least: 1, most: 100, default: 25 },
        required: false,
        description: "",
    },
    Parameter { name: "order", shape: Shape::Choice(&["new", "old"]), required: false, description: "" },
    Parameter { name: "fields", shape: Shape::Choices(&["a", "b"]), required: false, description: "" },
    Parameter { name: "labels", shape: Shape::Texts(8), required: false, description: "" },
    Parameter { name: "id", shape: Shape::Uuid, required: false, description: "" },
    Parameter { name: "archived", shape: Shape::Boolean, required: false, description: "" },
    Parameter { name: "day", shape: Shape::Date, required: false, description: "" },
    Parameter { name: "since", shape: Shape::Moment, required: false, description: "" },
];

fn parse(given: Value) -> Result<Arguments, Failure> {
    Arguments::parse(PARAMETERS, given.as_object().cloned())
}

#[test]
fn absent_null_and_blank_are_the_default() {
    for given in [json!({"word": "x"}), json!({"word": "x", "count": null, "order": "", "fields": " "})] {
        let arguments = parse(given).unwrap();
        assert_eq!((arguments.integer("count"), arguments.text("order")), (Some(25), Some("new")));
        assert_eq!(arguments.choices("fields"), None);
    }
}

#[test]
fn text_is_read_as_what_it_means() {
    for count in [json!(7), json!("7"), json!(" 7 "), json!(7.0)] {
        assert_eq!(parse(json!({"word": "x", "count": count})).unwrap().integer("count"), Some(7));
    }
    for fields in [json!(["a", "b"]), json!("a,b"), json!("a, b"), json!("[\"a\",\"b\"]")] {
        let arguments = parse(json!({"word": "x", "fields": fields})).unwrap();
        assert_eq!(arguments.choices("fields").unwrap(), ["a", "b"]);
    }
    assert_eq!(parse(json!({"word": 42})).unwrap().text("word"), Some("42"));
    for labels in [json!(["bug", "ux"]), json!("bug, ux"), json!("bug,,ux,bug"), json!("[\"bug\", \"ux\"]")] {
        assert_eq!(parse(json!({"word": "x", "labels": labels})).unwrap().texts("labels"), ["bug", "ux"]);
    }
    assert_eq!(parse(json!({"word": "x", "labels": 7})).unwrap().texts("labels"), ["7"]);
    for (given, meant) in
        [(json!(true), true), (json!("True"), true), (json!("false"), false), (json!(null), false)]
    {
        assert_eq!(parse(json!({"word": "x", "archived": given})).unwrap().is_set("archived"), meant);
    }
    let given = json!({"word": "x", "order": "OLD", "id": "0190F6E2-5a0b-7c3d-8e4f-1a2b3c4d5e6f",
        "day": "2026-11-21T10:00:00Z", "since": "2026-11-21T10:00:00+02:00"});
    let arguments = parse(given).unwrap();
    assert_eq!(arguments.text("order"), Some("old"));
    assert_eq!(arguments.text("id"), Some("0190f6e2-5a0b-7c3d-8e4f-1a2b3c4d5e6f"));
    assert_eq!(arguments.text("day"), Some("2026-11-21"));
    assert_eq!(arguments.text("since"), Some("2026-11-21T08:00:00Z"));
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (name, value) in [
        ("word", json!("toolong")),
        ("word", json!("a\nb")),
        ("word", json!({})),
        ("count", json!(0)),
        ("count", json!(101)),
        ("count", json!(1.5)),
        ("count", json!("many")),
        ("order", json!("newest")),
        ("fields", json!(["a", "c"])),
        ("fields", json!({"a": 1})),
        ("labels", json!({"a": 1})),
        ("labels", json!([["a"]])),
        ("labels", json!(["too long a label"])),
        ("labels", json!(["a\nb"])),
        ("labels", json!("[\"a\"")),
        ("labels", Value::from_iter(0..51)),
        ("id", json!("ENG-42")),
        ("archived", json!("maybe")),
        ("archived", json!(1)),
        ("day", json!("tomorrow")),
        ("since", json!(1_790_000_000)),
    ] {
        let mut given = json!({"word": "x"});
        given[name] = value.clone();
        let failure = parse(given).unwrap_err();
        assert_eq!(failure.code, Code::ArgumentInvalid);
        assert!(failure.message.starts_with(name), "{value}: {}", failure.message);
    }
}

#[test]
fn missing_and_unknown_arguments_are_refused() {
    assert_eq!(parse(json!({})).unwrap_err().message, "word is required");
    let failure = parse(json!({"word": "x", "colour": 1})).unwrap_err();
    assert_eq!(failure.message, "there is no argument \"colour\"");
    assert_eq!(
        failure.hint,
        "The arguments are: word, count, order, fields, labels, id, archived, day, since."
    );
}

/// A value of a kind that `dice` chooses, nested at most so deep.
fn any_value(dice: &mut impl FnMut(u64) -> u64, depth: u64) -> Value {
    const TEXTS: [&str; 17] = [
        "",
        " ",
        "x",
        "7",
        "-0",
        "1e400",
        "[",
        "[[1]]",
        "[\"a\", null]",
        "{}",
        "a,b,,",
        "true",
        "2026-11-21",
        "\u{0}",
        "2026-11-21T08:00:00+99:00",
        "\u{1f600}\u{202e}",
        "-9999999-13-45T99:99:99Z",
    ];
    match dice(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(dice(2) == 1),
        2 => json!(i64::MIN.wrapping_add(dice(u64::MAX).cast_signed())),
        3 => json!(f64::from_bits(dice(u64::MAX))),
        4 => json!(TEXTS[usize::try_from(dice(17)).unwrap()]),
        5 => json!(TEXTS[usize::try_from(dice(17)).unwrap()].repeat(usize::try_from(dice(200)).unwrap())),
        6 => (0..dice(6)).map(|_| any_value(dice, depth - 1)).collect(),
        _ => (0..dice(4)).map(|at| (at.to_string(), any_value(dice, depth - 1))).collect(),
    }
}

#[test]
fn no_json_value_whatsoever_makes_the_check_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut dice = move |sides: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % sides
    };
    let mut taken = 0;
    for _ in 0..20_000 {
        let given: JsonObject = PARAMETERS
            .iter()
            .filter_map(|parameter| {
                let value = if parameter.name == "word" { json!("x") } else { any_value(&mut dice, 3) };
                (dice(3) == 0 || parameter.name == "word").then(|| (parameter.name.to_owned(), value))
            })
            .collect();
        match Arguments::parse(PARAMETERS, Some(given.clone())) {
            Ok(_) => taken += 1,
            // Whatever is refused is refused by the name of an argument that was given.
            Err(failure) => assert!(given.keys().any(|name| failure.message.starts_with(name)), "{given:?}"),
        }
    }
    // Both ways are trodden.
    assert!((500..19_500).contains(&taken), "{taken}");
}
