use serde::{Deserialize, Serialize};

use super::*;
use crate::Secret;

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Raw {
    name: String,
    listen: Listen,
    routes: Vec<Route>,
    tags: Vec<String>,
    ports: Vec<u16>,
    colour: Colour,
    ratio: Option<f64>,
    #[serde(serialize_with = "crate::secret::redacted")]
    key: Option<Secret>,
    labels: BTreeMap<String, String>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            name: "unnamed".to_owned(),
            listen: Listen::default(),
            routes: Vec::new(),
            tags: Vec::new(),
            ports: vec![80],
            colour: Colour::Red,
            ratio: None,
            key: None,
            labels: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Listen {
    port: u16,
    tls: bool,
    cert_file: Option<PathBuf>,
}

#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Route {
    path: String,
    upstream: String,
    weight: u8,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Green,
}

const ALIASES: &[(&str, &str)] = &[("OLD_NAME", "name"), ("OLD_PORT", "listen.port")];

fn read(file: &str, env: &[(&str, &str)]) -> (Raw, Vec<String>) {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let file = Some((PathBuf::from("app.toml"), file.to_owned()));
    let (raw, problems) = load(&Layers { prefix: "APP", file, env: &env, aliases: ALIASES });
    (raw, problems.iter().map(ToString::to_string).collect())
}

fn good(file: &str, env: &[(&str, &str)]) -> Raw {
    let (raw, problems) = read(file, env);
    assert_eq!(problems, Vec::<String>::new());
    raw
}

fn bad(file: &str, env: &[(&str, &str)]) -> Vec<String> {
    read(file, env).1
}

#[test]
fn defaults_stand_where_nothing_is_set() {
    assert_eq!(good("", &[]), Raw::default());
}

#[test]
fn environment_overrides_alias_overrides_file() {
    let file = "name = 'file'\n[listen]\nport = 1\ntls = true\n";
    assert_eq!(good(file, &[]).name, "file");
    assert_eq!(good(file, &[("OLD_NAME", "alias")]).name, "alias");
    let raw = good(file, &[("OLD_NAME", "alias"), ("APP_NAME", "env"), ("OLD_PORT", "2")]);
    assert_eq!((raw.name.as_str(), raw.listen.port, raw.listen.tls), ("env", 2, true));
    assert_eq!(good(file, &[("OLD_PORT", "2"), ("APP_LISTEN__PORT", "3")]).listen.port, 3);
}

#[test]
fn environment_text_becomes_the_type_that_is_wanted() {
    let raw = good(
        "",
        &[
            ("APP_NAME", "123"),
            ("APP_LISTEN__PORT", "443"),
            ("APP_LISTEN__TLS", "Yes"),
            ("APP_LISTEN__CERT_FILE", "/x.pem"),
            ("APP_TAGS", "a, b"),
            ("APP_PORTS", "[1, 2]"),
            ("APP_COLOUR", "green"),
            ("APP_RATIO", "0.5"),
            ("APP_KEY", "true"),
            ("APP_LABELS__TEAM", "core"),
            ("APP_ROUTES", r#"[{"path": "/a", "weight": 2}]"#),
        ],
    );
    assert_eq!(raw.name, "123");
    assert_eq!(raw.listen, Listen { port: 443, tls: true, cert_file: Some("/x.pem".into()) });
    assert_eq!((raw.tags, raw.ports), (vec!["a".to_owned(), "b".to_owned()], vec![1, 2]));
    assert_eq!((raw.colour, raw.ratio, raw.key), (Colour::Green, Some(0.5), Some(Secret::new("true"))));
    assert_eq!(raw.labels.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "core".to_owned())]);
    assert_eq!(raw.routes, [Route { path: "/a".to_owned(), weight: 2, ..Route::default() }]);
}

#[test]
fn empty_variables_count_as_not_set() {
    assert_eq!(good("name = 'file'", &[("APP_NAME", ""), ("OLD_PORT", "")]).name, "file");
}

#[test]
fn different_problems_are_reported_at_once() {
    let file = "nmae = 'x'\nkey = 5\nports = [1, 'x', 3, -4]\n[listen]\nport = 70000\n[[routes]]\npath = '/a'\n[[routes]]\nupstrem = 'b'\nweight = 'c'\n";
    let problems =
        bad(file, &[("APP_LISTEN__TLS", "perhaps"), ("APP_LISTEN__SPEED", "1"), ("APP_RATIO", "half")]);
    assert_eq!(
        problems,
        [
            "nmae: unknown key, did you mean name?",
            "key: expected a string",
            "listen.speed: unknown key, known here: port, tls, cert_file (from APP_LISTEN__SPEED)",
            "listen.port: expected an integer from 0 to 65535",
            "listen.tls: expected true or false (from APP_LISTEN__TLS)",
            "ports[1]: expected an integer from 0 to 65535",
            "ports[3]: expected an integer from 0 to 65535",
            "ratio: expected a number (from APP_RATIO)",
            "routes[1].upstrem: unknown key, did you mean upstream?",
            "routes[1].weight: expected an integer from 0 to 255",
        ]
    );
}

#[test]
fn what_is_right_is_kept_beside_a_problem() {
    let (raw, problems) = read("name = 'kept'\n[listen]\nport = 'x'\ntls = true\n", &[]);
    assert_eq!(problems.len(), 1);
    assert_eq!((raw.name.as_str(), raw.listen.port, raw.listen.tls), ("kept", 0, true));
}

#[test]
fn no_problem_shows_a_value() {
    let file = "key = ['hunter2']\ncolour = 'hunter2'\nroutes = ['hunter2']\n[listen]\nport = 'hunter2'\ntls = 'hunter2'\n";
    let env = [("APP_RATIO", "hunter2"), ("APP_PORTS", "[hunter2"), ("APP_LABELS", "hunter2")];
    let problems = bad(file, &env);
    assert_eq!(problems.len(), 8, "{problems:?}");
    assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    assert!(problems.contains(&"colour: expected one of red, green".to_owned()), "{problems:?}");
}

#[test]
fn a_file_that_is_no_toml_is_reported_with_its_line_but_not_its_text() {
    let problems = bad("name = 'x'\nkey = hunter2\n", &[("APP_LISTEN__PORT", "x")]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("app.toml: line 2: ") && !problems[0].contains("hunter2"),
        "{problems:?}"
    );
    assert!(problems[1].starts_with("listen.port: "), "{problems:?}");
}

#[test]
fn only_variables_with_a_section_are_taken_for_misspelt_settings() {
    assert_eq!(
        good("", &[("APP_CONFIG", "x"), ("APP_SERVICE_HOST", "x"), ("APPLE__PIE", "x")]),
        Raw::default()
    );
    let unknown = bad("", &[("APP_LISTN__PORT", "1")]);
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].starts_with("listn: unknown key, did you mean listen?"), "{unknown:?}");
}

#[test]
fn a_second_problem_with_the_same_key_is_left_out() {
    let mut problems = Problems::default();
    problems.push("a", "expected an integer");
    problems.push("a", "must be set");
    problems.push("b", "must be set");
    assert_eq!(problems.to_string(), "a: expected an integer\nb: must be set");
}
