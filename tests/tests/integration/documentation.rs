//! The configurations in the documentation, given to the programs themselves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use stack::{
    certificate::Authority,
    process::our_binary,
    program::{Kind, run_to_end},
    proxy::fresh_key,
    scratch::Scratch,
    settings::Settings,
};
use toml::{Table, Value};

/// What a block about one thing is completed with, so that only that thing is judged.
const PROXY: &str = r#"
[server]
public_url = "https://mcp.example.com"
[tls]
disabled = true
[cognito]
region = "eu-central-1"
user_pool_id = "eu-central-1_AbCdEfGhI"
client_id = "4h57example"
[[routes]]
path = "/mcp"
upstream = "http://adapter:8211/mcp"
"#;
const ADAPTER: &str = r#"
[cognito]
region = "eu-central-1"
user_pool_id = "eu-central-1_AbCdEfGhI"
client_ids = ["4h57example"]
[plane]
base_url = "https://plane.example.com"
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages: the README and everything in `docs`.
fn pages() -> Vec<(String, String)> {
    let found = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages =
        found.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"));
    let mut read: Vec<_> =
        pages.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect();
    read.sort();
    read
}

/// The fenced blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = page.split(&fence).skip(1);
    after.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Which program reads a block: the one that knows its sections.
fn reader(block: &Table) -> Kind {
    if block.keys().all(|key| ["plane", "tools"].contains(&key.as_str())) {
        Kind::Adapter
    } else {
        Kind::Proxy
    }
}

/// The block over what it leaves out, table by table.
fn completed(block: &Table, rest: &str) -> Table {
    let mut whole: Table = rest.parse().unwrap();
    for (section, value) in block {
        match (whole.get_mut(section), value) {
            // A block that says how TLS is done says all of it.
            (Some(Value::Table(there)), Value::Table(more)) if section != "tls" => {
                there.extend(more.clone());
            }
            _ => {
                whole.insert(section.clone(), value.clone());
            }
        }
    }
    whole
}

/// Puts real files where the block names some.
fn with_files(table: &mut Table, folder: &Scratch, authority: &Authority) {
    let certificate = authority.issue("edge").unwrap();
    let made = |name: &str, text: String| folder.write(name, text).unwrap().display().to_string();
    for (_, value) in table.iter_mut() {
        let Value::Table(section) = value else { continue };
        for (key, value) in section.iter_mut() {
            let path = match key.as_str() {
                "cert_file" => certificate.cert_file.display().to_string(),
                "key_file" => certificate.key_file.display().to_string(),
                "keys_file" => made("keys", fresh_key("docs").unwrap()),
                "client_secret_file" => made("secret", "a-client-secret".to_owned()),
                "headers_file" => made("headers", "x-api-key=a-key".to_owned()),
                "introspection_secret_file" => made("introspection", "x".repeat(32)),
                "ca_file" => made("ca.pem", authority.pem()),
                _ => continue,
            };
            *value = path.into();
        }
    }
}

#[tokio::test]
async fn every_block_of_configuration_is_taken_by_its_program() {
    let (folder, authority) = (Scratch::new("docs").unwrap(), Authority::new().unwrap());
    let mut read = 0;
    for (name, text) in pages() {
        for block in blocks(&text, "toml") {
            let table: Table = block.parse().unwrap_or_else(|error| panic!("{name}: {error}\n{block}"));
            let kind = reader(&table);
            let rest = if kind == Kind::Proxy { PROXY } else { ADAPTER };
            let mut whole = completed(&table, rest);
            with_files(&mut whole, &folder, &authority);
            let settings = Settings::read(&whole.to_string()).unwrap();
            let (status, output) = run_to_end(kind, "check", &settings).await.unwrap();
            assert_eq!(status.code(), Some(0), "{name}:\n{block}\n{output}");
            read += 1;
        }
    }
    assert!(read >= 4, "only {read} blocks were found");
}

/// Runs `check` in the environment of `migrating.md`, with `more` over it.
fn check(program: &str, variable: &str, arguments: &[&str], more: &[(&str, &str)]) -> (i32, String) {
    let environment: BTreeMap<String, String> = blocks(&page("migrating.md"), "env")[0]
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .chain(more.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut command = std::process::Command::new(our_binary(program, variable).unwrap());
    let output = command.args(arguments).arg("check").env_clear().envs(environment).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

#[test]
fn the_environment_of_the_python_server_is_enough_for_both() {
    let folder = Scratch::new("migrating").unwrap();
    let file = folder.write("proxy.toml", &blocks(&page("migrating.md"), "toml")[0]).unwrap();
    let file = file.display().to_string();
    let (status, said) = check("mcp-edge-proxy", "PROXY_BIN", &["--config", &file], &[]);
    assert_eq!(status, 0, "{said}");
    for set in ["public_url = \"https://mcp.example.com\"", "relax_resource = true", "host = \"valkey\""] {
        assert!(said.contains(set), "no {set} in\n{said}");
    }
    assert!(!said.contains("0f1e2d3c"), "the signing key is shown");
    let (status, said) = check("plane-mcp-adapter", "ADAPTER_BIN", &[], &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("workspace_slug = \"acme\"") && said.contains("4h57exampleclientid"), "{said}");
}

#[test]
fn what_the_page_on_migrating_calls_refused_is_refused_by_name() {
    let folder = Scratch::new("migrating").unwrap();
    let file = folder.write("proxy.toml", &blocks(&page("migrating.md"), "toml")[0]).unwrap();
    let file = file.display().to_string();
    for (name, value, problem) in [
        ("AUTH_TYPE", "PLANE", "AUTH_TYPE: must be SSO"),
        ("MCP_JWT_SIGNING_KEY", "too-short", "vault.passphrase: "),
        ("MCP_BASE_URL", "https://mcp.example.com/http", "server.public_url: must be an origin"),
        ("MCP_COGNITO_REDIRECT_URI", "https://mcp.example.com/callback", "cognito.redirect_uri: must end in"),
        ("MCP_ALLOWED_CLIENT_REDIRECT_URIS", "https://*/callback", "oauth.allowed_redirect_uris"),
    ] {
        let (status, said) = check("mcp-edge-proxy", "PROXY_BIN", &["--config", &file], &[(name, value)]);
        assert_eq!(status, 64, "{name}={value}: {said}");
        assert!(said.contains(problem), "{name}={value}: {said}");
    }
    let tools = [("PLANE_MCP_ENABLED_TOOLS", "list_projects,create_work_item")];
    let (status, said) = check("plane-mcp-adapter", "ADAPTER_BIN", &[], &tools);
    assert!(status == 64 && said.contains("tools.allow[1]: there is no such tool"), "{status}: {said}");
}
