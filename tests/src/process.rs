//! A child process whose log is kept in memory, printed when something fails, and which never outlives its handle.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::trouble::{Outcome, Trouble, While};

/// How long a program may take to start or to answer a signal before a wait gives up: generous, for a machine where many
/// tests run at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Lines shown when something fails.
const SHOWN_LINES: usize = 60;

/// Where one of our programs is: the path in the environment variable `variable`, else beside the running executable.
///
/// # Errors
/// When it is in neither place; the sentence says what to run.
pub fn our_binary(name: &str, variable: &str) -> Outcome<PathBuf> {
    if let Some(path) = environment(variable) {
        return Ok(PathBuf::from(path));
    }
    let here = std::env::current_exe().while_doing("find the running executable")?;
    // Tests run from target/debug/deps, the demo from target/debug.
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Trouble::new(format!(
            "{name} is not built: run `make test` (or `cargo build -p {name}`), or set {variable} to its path"
        ))
    })
}

/// Where a program is that `tests/tools/install.sh` installs: the path in the environment variable `variable`, else
/// `target/tools/bin/<name>`.
///
/// # Errors
/// When it is in neither place; the sentence says what to run.
pub fn tool(name: &str, variable: &str) -> Outcome<PathBuf> {
    if let Some(path) = environment(variable) {
        return Ok(PathBuf::from(path));
    }
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/bin")).join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Trouble::new(format!("{name} is not installed: run `make e2e`")))
    }
}

/// A variable of the environment the tests were started in.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "where tools are is told by the environment of the test run")]
pub fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// What a process wrote to stdout and stderr so far.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines_locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines_locked().clone()
    }

    /// Everything so far as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines_locked().join("\n")
    }

    fn tail(&self) -> String {
        let lines = self.lines_locked();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        lines.iter().skip(skipped).map(|line| format!("    {line}\n")).collect()
    }

    fn follow(&self, source: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                log.lines_locked().push(text);
                line.clear();
            }
        })
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Log,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts `program` with exactly the given environment, nothing of our own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<I, A>(
        name: &str,
        program: &OsStr,
        arguments: I,
        environment: &BTreeMap<String, String>,
    ) -> Outcome<Self>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().while_doing(format_args!("start {}", program.display()))?;
        let log = Log::default();
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|output| log.follow(output)));
        readers.extend(child.stderr.take().map(|output| log.follow(output)));
        Ok(Self { name: name.to_owned(), child, log, readers })
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it wrote so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Polls `probe` until it gives a value.
    ///
    /// # Errors
    /// When the program ends first or [`PATIENCE`] runs out; the sentence carries the log.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        mut probe: impl AsyncFnMut(&Log) -> Option<T>,
    ) -> Outcome<T> {
        let started = Instant::now();
        loop {
            if let Some(value) = probe(&self.log).await {
                return Ok(value);
            }
            if !self.is_running() {
                return Err(self.trouble(&format!("ended before {what}")));
            }
            if started.elapsed() > PATIENCE {
                return Err(self.trouble(&format!("not {what} after {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it has ended by itself, and all of its output has been read.
    ///
    /// # Errors
    /// When it still runs after [`PATIENCE`].
    pub async fn wait_ended(&mut self) -> Outcome<ExitStatus> {
        self.wait_ended_within(PATIENCE).await
    }

    /// [`Process::wait_ended`] for a program that has more to do.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn wait_ended_within(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().while_doing("wait for a process")? {
                for reader in self.readers.drain(..) {
                    let _ = reader.join();
                }
                return Ok(status);
            }
            if started.elapsed() > limit {
                return Err(self.trouble(&format!("still running after {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends a signal, such as `TERM` or `HUP`.
    ///
    /// # Errors
    /// When it cannot be sent: the process is gone.
    pub fn signal(&self, signal: &str) -> Outcome {
        // The shell's own `kill`: the standard library can only send SIGKILL.
        let command = format!("kill -{signal} {}", self.child.id());
        let status = Command::new("/bin/sh").args(["-c", &command]).stderr(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(Trouble::new(format!("cannot send SIG{signal} to {}", self.name))),
        }
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it is gone already, or still there after [`PATIENCE`].
    pub async fn stop(&mut self) -> Outcome<ExitStatus> {
        self.signal("TERM")?;
        self.wait_ended().await
    }

    /// Kills it at once and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A sentence about this process with the end of its log.
    #[must_use]
    pub fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(format!("{} {what}; its log ends:\n{}", self.name, self.log.tail()))
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the log of a process is what explains a failing test")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.name, self.log.tail());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start("script", OsStr::new("/bin/sh"), ["-c", script], &BTreeMap::new()).unwrap()
    }

    #[tokio::test]
    async fn a_process_that_ends_too_early_is_reported_with_its_log() {
        let mut process = shell("echo first words; exit 3");
        process.wait_ended().await.unwrap();
        let trouble = process.wait_for("ready", async |_| None::<()>).await.unwrap_err().to_string();
        assert!(
            trouble.contains("script ended before ready") && trouble.contains("first words"),
            "{trouble}"
        );
    }

    #[tokio::test]
    async fn a_signal_arrives_and_the_exit_code_is_seen() {
        let mut process = shell("trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done");
        process.wait_for("up", async |log| log.text().contains("up").then_some(())).await.unwrap();
        process.signal("TERM").unwrap();
        assert_eq!(process.wait_ended().await.unwrap().code(), Some(7));
    }

    #[test]
    fn a_missing_binary_says_what_to_run() {
        let trouble = our_binary("no-such-program", "NO_SUCH_VARIABLE").unwrap_err().to_string();
        assert!(trouble.contains("make test"), "{trouble}");
    }
}
