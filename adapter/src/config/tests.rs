use std::collections::BTreeMap;

use super::*;

const GOOD: &str = "[cognito]\nregion = \"eu-central-1\"\nuser_pool_id = \"eu-central-1_Ab1\"\nclient_ids = [\"app\"]\n\
                    [plane]\nbase_url = \"https://plane.example.com\"\n";

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(Some(("adapter.toml".into(), text.to_owned())), &env)
}

fn problems(text: &str) -> Vec<String> {
    load(text, &[]).unwrap_err().iter().map(|problem| problem.key.clone()).collect()
}

#[test]
fn a_short_file_is_enough() {
    let config = load(GOOD, &[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8211".parse().unwrap());
    assert_eq!(config.mcp.path, "/mcp");
    let [source] = config.cognito.sources.as_slice() else { panic!("one issuer") };
    assert_eq!(source.issuer.as_str(), "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1");
    assert!(config.effective.contains("requests_per_minute = 60"));
}

#[test]
fn what_is_in_effect_can_be_read_again() {
    let effective = load(GOOD, &[("ADAPTER_MCP__PATH", "/x")]).unwrap().effective;
    assert_eq!(load(&effective, &[]).unwrap().mcp.path, "/x");
}

#[test]
fn the_names_of_the_python_server_work() {
    let env = [
        ("PLANE_BASE_URL", "https://plane.example.org"),
        ("PLANE_WORKSPACE_SLUG", "acme"),
        ("COGNITO_USER_POOL_ID", "us-east-1_Zz9"),
        ("COGNITO_AWS_REGION", "us-east-1"),
        ("OIDC_CLIENT_ID", "app1"),
        ("ENABLE_AI_MCP_RUNTIME", "false"),
    ];
    let config = load("", &env).unwrap();
    assert_eq!(config.plane.base_url.as_str(), "https://plane.example.org/");
    assert_eq!(config.plane.workspace.unwrap().as_str(), "acme");
    assert_eq!(config.cognito.client_ids[0].as_str(), "app1");
    assert!(!config.mcp.enabled);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "[server]\nlisten = \"nowhere\"\nallowed_hosts = [\"*\"]\nallowed_origins = [\"x\"]\n\
                [mcp]\npath = \"mcp\"\nbody_bytes = 1\n\
                [cognito]\nregion = \"eu-central-1\"\nclock_leeway_seconds = 999\n\
                [plane]\nbase_url = \"http://plane.example.com\"\nworkspace_slug = \"a/b\"\nca_file = \"/no/such\"\n\
                timeout_seconds = 0\n[log]\nfilter = \"a=b=c\"\n";
    let mut found = problems(text);
    found.sort_unstable();
    let expected = [
        "cognito.client_ids",
        "cognito.clock_leeway_seconds",
        "cognito.user_pool_id",
        "log.filter",
        "mcp.body_bytes",
        "mcp.path",
        "plane.base_url",
        "plane.ca_file",
        "plane.timeout_seconds",
        "plane.workspace_slug",
        "server.allowed_hosts",
        "server.allowed_origins",
        "server.listen",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(expected.iter().all(|key| found.iter().any(|found| found == key)), "{found:?}");
}

#[test]
fn unknown_keys_and_an_empty_file_are_refused() {
    assert!(problems(&format!("{GOOD}base_ur = \"x\"\n")).contains(&"plane.base_ur".to_owned()));
    assert_eq!(problems(""), ["cognito.issuer", "cognito.client_ids", "plane.base_url"]);
}

#[test]
fn plain_http_is_for_loopback_or_where_it_is_meant() {
    let plane = |url: &str| GOOD.replace("https://plane.example.com", url);
    assert!(load(&plane("http://127.0.0.1:3000"), &[]).is_ok());
    assert!(load(&plane("http://[::1]:3000/plane"), &[]).is_ok());
    assert_eq!(problems(&plane("http://plane.internal")), ["plane.base_url"]);
    assert!(load(&format!("{}insecure_http = true\n", plane("http://plane.internal")), &[]).is_ok());
    for wrong in
        ["plane.example.com", "ftp://plane.example.com", "https://u:p@plane.example.com", "https://p/?q=1"]
    {
        assert_eq!(problems(&plane(wrong)), ["plane.base_url"], "{wrong}");
    }
}

#[test]
fn more_issuers_and_other_key_places_are_taken() {
    let text = GOOD.replace(
        "[plane]",
        "additional_issuers = [\"http://127.0.0.1:1/pool\"]\njwks_uri = \"https://keys.example.com/jwks.json\"\n[plane]",
    );
    let sources = load(&text, &[]).unwrap().cognito.sources;
    assert_eq!(sources[0].jwks_uri.as_str(), "https://keys.example.com/jwks.json");
    assert_eq!(sources[1].jwks_uri.as_str(), "http://127.0.0.1:1/pool/.well-known/jwks.json");
}

#[test]
fn clients_are_made_with_either_trust() {
    let pem = rcgen::generate_simple_self_signed(["plane.internal".to_owned()]).unwrap().cert.pem();
    let file = std::env::temp_dir().join(format!("adapter-ca-{}.pem", std::process::id()));
    std::fs::write(&file, pem).unwrap();
    let trust = Trust::from_file(file.to_str().unwrap()).unwrap();
    std::fs::write(&file, "nothing").unwrap();
    assert!(Trust::from_file(file.to_str().unwrap()).is_err());
    std::fs::remove_file(&file).unwrap();
    http_client(&trust, Duration::from_secs(1)).unwrap();
    http_client(&Trust::System, Duration::from_secs(1)).unwrap();
}

#[test]
fn people_are_told_exactly_which_settings_change_at_once() {
    let docs = include_str!("../../../docs/configuration.md");
    let mut rows = docs.lines().skip_while(|line| *line != "| program | settings |");
    let row = rows.find(|line| line.starts_with("| adapter |")).unwrap();
    let mut told: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
    let mut live = Written::LIVE.to_vec();
    told.sort_unstable();
    live.sort_unstable();
    assert_eq!(told, live);
}
