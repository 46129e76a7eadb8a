//! `docs/openapi.yaml` against the running proxy: schemathesis sends what it describes, and much that it does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use stack::{
    process::{Process, environment},
    scratch::Scratch,
    stack::Stack,
};

/// How long the run may take on a machine where everything else runs too; alone it is a quarter of it.
const DRIVE: Duration = Duration::from_secs(120);

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.yaml")
}

/// No server error, and no status, type, header or body that the document does not have. That good requests are taken and
/// bad ones refused is proven elsewhere: a code cannot be made up, and RFC 7591 has what is unknown ignored.
#[tokio::test]
async fn schemathesis_finds_no_server_error_and_no_drift() {
    let python = environment("MCP_PYTHON").unwrap_or_else(|| {
        panic!("MCP_PYTHON is not set: run `make test`, which installs schemathesis and sets it")
    });
    let without_limit = ["oauth_requests_per_minute", "registrations_per_minute", "registrations_per_hour"]
        .map(|name| format!("limits.{name}"));
    let stack = without_limit.iter().fold(Stack::builder(), |stack, key| stack.proxy_setting(key, 0));
    let stack = stack.start().await.unwrap();
    let scratch = Scratch::new("schemathesis").unwrap();
    let program = Path::new(&python).with_file_name("schemathesis").display().to_string();
    // It writes where it runs.
    let home = scratch.path().display().to_string();
    let (document, ca) = (document().display().to_string(), stack.authority.file().display().to_string());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
        response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";
    let arguments = [
        &[
            "-C",
            &home,
            &program,
            "--no-color",
            "run",
            &document,
            "--url",
            stack.origin(),
            "--tls-verify",
            &ca,
            "--checks",
            checks,
        ][..],
        &["--phases", "coverage,fuzzing", "--seed", "1", "--max-examples", "10", "--workers", "2"],
        &["--max-redirects", "0", "--generation-database", "none", "--no-shrink", "--warnings", "off"],
    ];
    let variables: BTreeMap<String, String> =
        ["HOME", "HYPOTHESIS_STORAGE_DIRECTORY"].map(|name| (name.to_owned(), home.clone())).into();
    let mut process =
        Process::start("schemathesis", OsStr::new("/usr/bin/env"), arguments.concat(), &variables).unwrap();
    let status = process.wait_ended_within(DRIVE).await.unwrap();
    assert!(status.success(), "{}", process.log().text());
}

#[tokio::test]
async fn the_document_names_every_endpoint() {
    let text = fs::read_to_string(document()).unwrap();
    let documented: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':'))
        .filter(|path| !path.contains(' '))
        .collect();
    // The router is the one who knows: what it does not serve is a 404.
    let stack = Stack::start().await.unwrap();
    let client = stack.client("/mcp").unwrap();
    for path in &documented {
        let answer = client.load(&format!("/{path}")).await.unwrap();
        assert_ne!(answer.status, 404, "/{path} is documented and not served");
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proxy/src");
    for file in ["oauth.rs", "pipeline/route.rs"] {
        let source = fs::read_to_string(source.join(file)).unwrap();
        let served = source.lines().filter_map(|line| {
            let line = line.trim().strip_prefix("if path == ").unwrap_or(line.trim());
            line.strip_prefix("\"/")?.split_once('"').map(|(path, _)| path)
        });
        for path in served {
            assert!(documented.contains(path), "/{path} is served and not documented");
        }
    }
    let metadata = client.load("/.well-known/oauth-authorization-server").await.unwrap();
    for (name, url) in
        metadata.json.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"))
    {
        let path = url.as_str().unwrap().strip_prefix(stack.origin()).unwrap();
        assert!(documented.contains(path.trim_start_matches('/')), "{name} {path} is not documented");
    }
}
