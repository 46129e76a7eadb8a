//! The program itself: its exit statuses, its check, its end.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_plane-mcp-adapter");

/// A file of its own for each test.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str], config: &PathBuf) -> Output {
    Command::new(PROGRAM).env_clear().args(arguments).arg("--config").arg(config).output().unwrap()
}

const GOOD: &str = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nthreads = 1\n\
                    [cognito]\nissuer = \"http://127.0.0.1:1/pool\"\nclient_ids = [\"app\"]\n\
                    [plane]\nbase_url = \"http://127.0.0.1:1\"\n";

#[test]
fn a_bad_configuration_is_told_whole_and_ends_with_64() {
    let config = file("bad.toml", "[server]\nlisten = 7\nlisen = \"x\"\n[plane]\nbase_url = \"plane\"\n");
    for command in [&["check"][..], &["serve"], &[]] {
        let output = run(command, &config);
        assert_eq!(output.status.code(), Some(64));
        let text = String::from_utf8(output.stderr).unwrap();
        for key in
            ["server.listen:", "server.lisen:", "plane.base_url:", "cognito.issuer:", "cognito.client_ids:"]
        {
            assert!(text.lines().any(|line| line.starts_with(key)), "{key} in {text}");
        }
    }
    let output = run(&["check"], &PathBuf::from("/no/such/file"));
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--config: cannot read /no/such/file"));
}

#[test]
fn check_prints_what_is_in_effect() {
    let output = run(&["check"], &file("good.toml", GOOD));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("path = \"/mcp\"") && text.contains("requests_per_minute = 60"), "{text}");
}

#[test]
fn a_running_program_says_where_it_listens_and_ends_on_a_signal() {
    let config = file("serve.toml", GOOD);
    let mut program = Command::new(PROGRAM)
        .env_clear()
        .args(["serve", "--config"])
        .arg(config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    for listener in ["public", "admin"] {
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening")).unwrap();
        assert!(
            line.contains(&format!("\"listener\":\"{listener}\"")) && line.contains("127.0.0.1:"),
            "{line}"
        );
    }
    // The shell's own `kill`: a small system has no program of that name.
    let kill = Command::new("sh").args(["-c", &format!("kill {}", program.id())]).status().unwrap();
    assert!(kill.success());
    assert_eq!(program.wait().unwrap().code(), Some(0));
}
