//! A real Valkey (or Redis) server on a free port, for one test.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    ports::free_port,
    process::{Process, environment},
    scratch::Scratch,
    trouble::{Outcome, Trouble, While},
};

mod sentinels;
pub use sentinels::Sentinels;

/// A running server. It writes every change to a file, so that a restarted one knows what the stopped one knew.
#[derive(Debug)]
pub struct Valkey {
    port: u16,
    more: Vec<String>,
    program: PathBuf,
    data: Scratch,
    process: Option<Process>,
}

impl Valkey {
    /// Starts an empty server: the program in `VALKEY_SERVER`, else `valkey-server` or `redis-server` on the `PATH`.
    ///
    /// # Errors
    /// When there is no such program (the sentence says what to run) or it does not come up.
    pub async fn start() -> Outcome<Self> {
        Self::start_with(&[]).await
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// As [`Valkey::start`].
    pub async fn start_with(more: &[&str]) -> Outcome<Self> {
        let (port, program, data) = (free_port()?, find_server()?, Scratch::new("valkey")?);
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        let mut valkey = Self { port, more, program, data, process: None };
        valkey.start_again().await?;
        Ok(valkey)
    }

    /// Starts a server that knows what [`Valkey::backup`] wrote, and no more. As long as it keeps an append-only file, Valkey reads
    /// nothing else: so this one does not.
    ///
    /// # Errors
    /// As [`Valkey::start`], and when the backup cannot be read.
    pub async fn restored_from(backup: &Path) -> Outcome<Self> {
        let (port, program, data) = (free_port()?, find_server()?, Scratch::new("valkey")?);
        fs::copy(backup, data.path().join("dump.rdb")).while_doing("copy the backup")?;
        let more = ["--appendonly", "no"].map(str::to_owned).to_vec();
        let mut valkey = Self { port, more, program, data, process: None };
        valkey.start_again().await?;
        Ok(valkey)
    }

    /// Writes all it holds to `file`, as a nightly job would.
    ///
    /// # Errors
    /// When it does not run, or the file cannot be written.
    pub fn backup(&self, file: &Path) -> Outcome {
        let said = self.command("SAVE")?;
        if said != "+OK" {
            return Err(Trouble::new(format!("valkey does not save: {said}")));
        }
        fs::copy(self.data.path().join("dump.rdb"), file).while_doing("copy the backup")?;
        Ok(())
    }

    /// The URL for `valkey.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it from answering, or lets it go on, without a connection being closed.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, frozen: bool) -> Outcome {
        let process = self.process.as_ref().ok_or_else(|| Trouble::new("valkey does not run"))?;
        process.signal(if frozen { "STOP" } else { "CONT" })
    }

    /// Kills the server; its clients see their connections break.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`Valkey::stop`], on the same port and with the data it had.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self) -> Outcome {
        let port = self.port.to_string();
        let folder = self.data.path().display().to_string();
        let arguments = [
            ["--port", &port],
            ["--bind", "127.0.0.1"],
            ["--dir", &folder],
            ["--appendonly", "yes"],
            ["--appendfsync", "always"],
            ["--save", ""],
        ];
        let arguments = arguments.as_flattened().iter().copied().chain(self.more.iter().map(String::as_str));
        let mut process = Process::start("valkey", self.program.as_os_str(), arguments, &BTreeMap::new())?;
        process.wait_for("ready", async |_| (self.command("PING").ok()? == "+PONG").then_some(())).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Sends one inline command and returns the first line of the answer, such as `+PONG` or `:3`.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn command(&self, command: &str) -> Outcome<String> {
        let answer = self.exchange(command)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    /// Sends one inline command and returns all of the answer.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn report(&self, command: &str) -> Outcome<String> {
        self.exchange(command)
    }

    /// Every key and the raw bytes stored there (as lossy text): what somebody who reads the database sees.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn dump(&self) -> Outcome<Vec<(String, String)>> {
        let keys = self.exchange("KEYS *")?;
        let names = keys.lines().filter(|line| !line.starts_with(['*', '$']) && !line.is_empty());
        names.map(|name| Ok((name.to_owned(), self.exchange(&format!("GET {name}"))?))).collect()
    }

    /// One line of `INFO`, such as `role` or `master_repl_offset`.
    ///
    /// # Errors
    /// When the server does not answer, or has no such line.
    pub fn info(&self, name: &str) -> Outcome<String> {
        let info = self.exchange("INFO")?;
        let mut lines = info.lines().filter_map(|line| line.trim().split_once(':'));
        let line = lines.find(|(key, _)| *key == name);
        line.map(|(_, value)| value.to_owned()).ok_or_else(|| Trouble::new(format!("no {name} in INFO")))
    }

    fn exchange(&self, command: &str) -> Outcome<String> {
        let what = format!("ask valkey for {command}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).while_doing(&what)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).while_doing(&what)?;
        // QUIT makes the server close, so the end of the stream is the end of the answer.
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).while_doing(&what)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).while_doing(&what)?;
        let answer = String::from_utf8_lossy(&answer);
        Ok(answer.strip_suffix("+OK\r\n").unwrap_or(&answer).to_owned())
    }
}

fn find_server() -> Outcome<PathBuf> {
    if let Some(path) = environment("VALKEY_SERVER") {
        return Ok(PathBuf::from(path));
    }
    let path = environment("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = ["valkey-server", "redis-server"];
    let found = candidates.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Trouble::new(
            "no Valkey server: run `make test`, which installs one, or set VALKEY_SERVER to its path",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restarted_server_still_has_its_data() {
        let mut valkey = Valkey::start().await.unwrap();
        assert_eq!(valkey.command("SET colour green").unwrap(), "+OK");
        valkey.stop();
        assert!(valkey.command("PING").is_err());
        valkey.start_again().await.unwrap();
        assert_eq!(valkey.dump().unwrap(), [("colour".to_owned(), "$5\r\ngreen\r\n".to_owned())]);
    }
}
