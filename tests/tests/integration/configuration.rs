//! Bad configuration: every problem in one report, exit 64, nothing bound.

use std::net::TcpListener;

use stack::{
    ports::free_port,
    program::{Kind, run_to_end},
    settings::{Settings, route},
    stack::Stack,
};

fn bad_proxy_settings(port: u16) -> Settings {
    let mut settings = Settings::default();
    settings.set("server.public_url", "http://edge.example/path");
    settings.set("server.listen", format!("127.0.0.1:{port}"));
    settings.set("server.threads", "many");
    settings.set("tls.cert_fil", "/nowhere.pem");
    settings.set("tls.key_file", "/nowhere.key");
    settings.set("cognito.issuer", "not a url");
    settings.set("cognito.client_id", "");
    settings.set("cognito.client_secret_file", "/nowhere.secret");
    settings.set("log.format", "loud");
    settings.push("routes", route("mcp", "mpc", "ftp://127.0.0.1/"));
    settings
}

#[tokio::test]
async fn every_problem_of_the_proxy_is_in_one_report() {
    let port = free_port().unwrap();
    for command in ["serve", "check"] {
        let (status, output) = run_to_end(Kind::Proxy, command, &bad_proxy_settings(port)).await.unwrap();
        assert_eq!(status.code(), Some(64), "{output}");
        let keys = [
            "server.public_url",
            "server.threads",
            "tls.cert_fil",
            "tls.key_file",
            "cognito.issuer",
            "cognito.client_id",
            "cognito.client_secret_file",
            "log.format",
            "routes[0].path",
            "routes[0].kind",
            "routes[0].upstream",
        ];
        let missing: Vec<&str> =
            keys.into_iter().filter(|key| !output.contains(&format!("{key}: "))).collect();
        assert!(missing.is_empty(), "{command} does not report {missing:?} in:\n{output}");
        assert!(output.contains("cert_file"), "the unknown key comes with a hint:\n{output}");
        assert!(!output.contains("listening"), "{output}");
    }
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}

#[tokio::test]
async fn every_problem_of_the_adapter_is_in_one_report() {
    let mut settings = Settings::default();
    settings.set("server.listen", "nowhere");
    settings.set("server.allowed_hosts", vec!["*"]);
    settings.set("mcp.pth", "/mcp");
    settings.set("cognito.issuer", "http://issuer.example/");
    settings.set("plane.base_url", "plane");
    settings.set("log.format", "loud");
    for command in ["serve", "check"] {
        let (status, output) = run_to_end(Kind::Adapter, command, &settings).await.unwrap();
        assert_eq!(status.code(), Some(64), "{output}");
        let keys = [
            "server.listen",
            "server.allowed_hosts",
            "mcp.pth",
            "cognito.issuer",
            "plane.base_url",
            "log.format",
        ];
        let missing: Vec<&str> = keys.into_iter().filter(|key| !output.contains(*key)).collect();
        assert!(missing.is_empty(), "{command} does not report {missing:?} in:\n{output}");
    }
}

#[tokio::test]
async fn a_good_configuration_is_shown_and_a_secret_in_the_file_is_refused() {
    let stack = Stack::start().await.unwrap();
    let secret = "a-client-secret-in-the-file";
    let mut settings = stack.proxies[0].settings.clone();
    settings.set("cognito.client_secret", secret);
    let (status, output) = run_to_end(Kind::Proxy, "check", &settings).await.unwrap();
    assert_eq!(status.code(), Some(64), "{output}");
    assert!(output.contains("cognito.client_secret: is a secret") && !output.contains(secret), "{output}");

    let (status, output) = run_to_end(Kind::Proxy, "check", &stack.proxies[0].settings).await.unwrap();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains(stack.origin()) && output.contains("header_bytes"), "{output}");
}

#[test]
fn a_reader_that_is_gone_is_no_failure_of_check() {
    use std::process::{Command, Stdio};

    let program = stack::process::our_binary("plane-mcp-adapter", "ADAPTER_BIN").unwrap();
    let mut command = Command::new(program);
    command.arg("check").env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in [
        ("ADAPTER_COGNITO__ISSUER", "https://issuer.example/pool"),
        ("ADAPTER_COGNITO__CLIENT_IDS", "app"),
        ("ADAPTER_PLANE__BASE_URL", "https://plane.example"),
    ] {
        command.env(name, value);
    }
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
