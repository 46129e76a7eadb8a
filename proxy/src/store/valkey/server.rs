//! A real Valkey server for tests: one a test, on a free loopback port, killed when dropped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use service::Secret;

use super::{Valkey, ValkeySettings};

pub(crate) struct Server {
    child: Child,
    port: u16,
    arguments: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_by(|port| {
            let own =
                ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
            own.iter().chain(arguments).map(|&argument| argument.to_owned()).collect()
        })
    }

    /// Starts a server with arguments made for its port.
    pub(crate) fn start_by(arguments: impl Fn(u16) -> Vec<String>) -> Self {
        // Another process may take a port between the look and the start: then another one is tried.
        for _ in 0..10 {
            let port = free_port();
            let arguments = arguments(port);
            if let Some(child) = launch(port, &arguments) {
                return Self { child, port, arguments };
            }
        }
        panic!("the valkey server does not start");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn settings(&self) -> ValkeySettings {
        ValkeySettings {
            url: Secret::new(self.url()),
            ca_file: None,
            prefix: "test:".to_owned(),
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(2),
        }
    }

    pub(crate) async fn connect(&self) -> Valkey {
        Valkey::connect(&self.settings()).await.unwrap()
    }

    /// Waits until the answer to `line` has all of `words`.
    pub(crate) async fn wait_for(&self, line: &str, words: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut answer = String::new();
        while Instant::now() < deadline {
            answer = say(self.port, line).unwrap_or_default();
            if words.iter().all(|&word| answer.contains(word)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{line} never answers {words:?}: {answer}");
    }

    /// Says one line to the server, as a client without our code would; returns what it answers at once.
    pub(crate) fn say(&self, line: &str) -> String {
        say(self.port, line).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again on the same port, empty.
    pub(crate) fn revive(&mut self) {
        self.child = launch(self.port, &self.arguments).expect("the port is free again");
    }

    /// Stops it from answering, without closing anything.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        // The shell's own `kill`: a small system has no program of that name.
        let kill = format!("kill {signal} {}", self.child.id());
        let done = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on, never given twice by this process, and none that the kernel hands out by itself: a server that
/// was killed finds it free again.
pub(crate) fn free_port() -> u16 {
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    // Each process starts somewhere else, so that those running side by side rarely meet.
    let start = std::process::id().wrapping_mul(97) % 12_000;
    let candidates = std::iter::repeat_with(|| {
        let step = u32::from(HANDED_OUT.fetch_add(1, Ordering::Relaxed));
        u16::try_from(20_000 + (start + step) % 12_000).unwrap()
    });
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.take(200).find(free).expect("a free port between 20000 and 32000 on 127.0.0.1")
}

fn launch(port: u16, arguments: &[String]) -> Option<Child> {
    let mut child = Command::new(program())
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        // Also an error is an answer: a server with a password asks for it.
        if say(port, "PING").is_ok_and(|answer| answer.starts_with(['+', '-'])) {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn say(port: u16, line: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]
fn program() -> PathBuf {
    if let Ok(path) = std::env::var("VALKEY_SERVER") {
        return path.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["valkey-server", "redis-server"]
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file());
    found.expect("no valkey-server on the PATH nor in VALKEY_SERVER: run `make test`, which installs one")
}
