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
    assert_eq!(failure.hint, "The arguments are: word, count, order, fields.");
}
