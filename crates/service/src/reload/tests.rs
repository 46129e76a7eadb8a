use std::sync::{Arc, Mutex};

use super::*;

/// A program with one live setting, `a.live`, which must not be "bad"; it writes down what happens.
struct Program(Arc<Mutex<Vec<String>>>);

impl Reloadable for Program {
    type Config = String;

    const LIVE: &'static [&'static str] = &["a.live"];

    fn load(&self, source: &Source) -> Result<(Table, String), Problems> {
        let mut problems = Problems::default();
        let text = match source.text() {
            Ok(text) => text.unwrap().1,
            Err(problem) => {
                problems.push(problem.key, problem.message);
                return Err(problems);
            }
        };
        let table: Table = text.parse().unwrap();
        let live = table["a"]["live"].as_str().unwrap().to_owned();
        if live == "bad" {
            problems.push("a.live", "is bad");
            return Err(problems);
        }
        Ok((table, live))
    }

    fn take(&mut self, config: String) {
        self.0.lock().unwrap().push(config);
    }

    fn attempted(&self, outcome: &'static str) {
        self.0.lock().unwrap().push(outcome.to_owned());
    }
}

struct World {
    file: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
    shutdown: Shutdown,
}

impl World {
    fn start(name: &str, text: &str) -> Self {
        let file = std::env::temp_dir().join(format!("service-reload-{}-{name}.toml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let world = Self { file, heard: Arc::default(), shutdown: Shutdown::manual() };
        let source = Source { file: Some(world.file.clone()), env: BTreeMap::new() };
        let running = text.parse().unwrap();
        let reload = Reload::new(source).unwrap();
        tokio::spawn(reload.watch(Program(world.heard.clone()), running, world.shutdown.clone()));
        world
    }

    /// Writes the file and gives what happened until the watcher must have seen it. Time is paused and jumps.
    async fn write(&self, text: &str) -> Vec<String> {
        std::fs::write(&self.file, text).unwrap();
        self.wait().await
    }

    async fn wait(&self) -> Vec<String> {
        tokio::time::sleep(3 * LOOK_EVERY).await;
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
        let _ = std::fs::remove_file(&self.file);
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_taken_once_and_an_unchanged_one_never() {
    let world = World::start("changed", "[a]\nlive = \"one\"\n");
    assert!(world.wait().await.is_empty());
    assert_eq!(world.write("[a]\nlive = \"three\"\n").await, ["three", "taken"]);
    assert!(world.wait().await.is_empty());
    // Another text that means the same is no change.
    assert!(world.write("[a]\n  live = \"three\"\n").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bad_or_missing_file_changes_nothing_and_a_good_one_after_it_does() {
    let world = World::start("bad", "[a]\nlive = \"one\"\n");
    assert!(world.wait().await.is_empty());
    assert_eq!(world.write("[a]\nlive = \"bad\"\n").await, ["refused"]);
    std::fs::remove_file(&world.file).unwrap();
    assert_eq!(world.wait().await, ["refused"]);
    assert_eq!(world.write("[a]\nlive = \"two!\"\n").await, ["two!", "taken"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_between_start_and_watch_is_not_missed() {
    let world = World::start("between", "[a]\nlive = \"one\"\n");
    std::fs::write(&world.file, "[a]\nlive = \"four\"\n").unwrap();
    assert_eq!(world.wait().await, ["four", "taken"]);
}

#[test]
fn what_waits_for_a_restart_is_named_until_then() {
    let text = |live: &str, port: u16| format!("[a]\nlive = \"{live}\"\nlist = [1]\n[b]\nport = {port}\n");
    let read = |text: String| settings(&text.parse().unwrap());
    let (old, new) = (read(text("one", 1)), read(text("two", 2)));
    assert_eq!(differing(&old, &new), ["a.live", "b.port"]);
    assert_eq!(
        differing(&old, &read("[a]\nlive = \"one\"\nlist = [1, 2]\n".to_owned())),
        ["a.list", "b.port"]
    );
    let file = std::env::temp_dir().join(format!("service-reload-{}-waits.toml", std::process::id()));
    std::fs::write(&file, text("two", 2)).unwrap();
    let source = Source { file: Some(file.clone()), env: BTreeMap::new() };
    let mut running = old;
    reload(&source, &mut Program(Arc::default()), &mut running, false);
    assert_eq!(differing(&running, &new), ["b.port"]);
    std::fs::remove_file(file).unwrap();
}
