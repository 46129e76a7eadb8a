use std::sync::{Arc, Mutex};

use super::*;

/// A program with two live settings: `a.live`, which must not be "bad", and `a.key_file`. It writes down what happens.
struct Program(Arc<Mutex<Vec<String>>>);

impl Reloadable for Program {
    type Config = String;
    type Prepared = String;

    const LIVE: &'static [&'static str] = &["a.key_file", "a.live"];
    const FILES: &'static [&'static str] = &["a.key_file", "b.ca_file"];

    fn load(&self, source: &Source) -> Result<(Table, String), Problems> {
        let mut problems = Problems::default();
        let text = match source.text() {
            Ok(text) => text.unwrap().1,
            Err(problem) => {
                problems.push(problem.key, problem.message);
                return Err(problems);
            }
        };
        let Ok(table) = text.parse::<Table>() else {
            problems.push("config", "is no TOML");
            return Err(problems);
        };
        let live = table["a"]["live"].as_str().unwrap().to_owned();
        if live == "bad" {
            problems.push("a.live", "is bad");
            return Err(problems);
        }
        Ok((table, live))
    }

    fn prepare(&self, config: String, changed: &[&str]) -> Result<String, Problems> {
        if config == "not now" {
            let message = "cannot be made now".to_owned();
            return Err(Problem { key: "a.live".to_owned(), message }.into());
        }
        Ok(format!("{config} ({})", changed.join(" ")))
    }

    fn take(&mut self, config: String) {
        self.0.lock().unwrap().push(config);
    }

    fn attempted(&self, outcome: &'static str) {
        self.0.lock().unwrap().push(outcome.to_owned());
    }
}

struct World {
    folder: PathBuf,
    file: PathBuf,
    heard: Arc<Mutex<Vec<String>>>,
    shutdown: Shutdown,
}

impl World {
    fn start(name: &str, text: &str) -> Self {
        let folder = folder(name);
        let file = folder.join("config.toml");
        std::fs::write(&file, text).unwrap();
        Self::watching(folder, file)
    }

    fn watching(folder: PathBuf, file: PathBuf) -> Self {
        let world = Self { folder, file, heard: Arc::default(), shutdown: Shutdown::manual() };
        let source = Source { file: Some(world.file.clone()), env: BTreeMap::new() };
        let running = source.text().unwrap().unwrap().1.parse().unwrap();
        let reload = Reload::new(source).unwrap();
        tokio::spawn(reload.watch(Program(world.heard.clone()), running, world.shutdown.clone()));
        world
    }

    /// Writes the file and gives what happened until the watcher must have seen it. Time is paused and jumps.
    async fn write(&self, text: impl AsRef<[u8]>) -> Vec<String> {
        std::fs::write(&self.file, text).unwrap();
        self.wait().await
    }

    async fn wait(&self) -> Vec<String> {
        tokio::time::sleep(3 * LOOK_EVERY).await;
        self.heard()
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("service-reload-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn live(text: &str) -> String {
    format!("[a]\nlive = \"{text}\"\n")
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_taken_once_and_an_unchanged_one_never() {
    let world = World::start("changed", &live("one"));
    assert!(world.wait().await.is_empty());
    assert_eq!(world.write(live("three")).await, ["three (a.live)", "taken"]);
    assert!(world.wait().await.is_empty());
    // Another text that means the same is no change.
    assert!(world.write("[a]\n  live = \"three\"\n").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_good_file_changes_nothing_and_a_good_one_after_it_does() {
    let world = World::start("bad", &live("one"));
    assert!(world.wait().await.is_empty());
    for bad in [live("bad").as_bytes(), b"", b"[a]\nlive = \"o", b"[a]\nlive = \"\xff\xfe\0\"\n"] {
        assert_eq!(world.write(bad).await, ["refused"], "{bad:?}");
    }
    std::fs::remove_file(&world.file).unwrap();
    assert_eq!(world.wait().await, ["refused"], "missing");
    std::fs::create_dir(&world.file).unwrap();
    assert!(world.wait().await.is_empty(), "as missing as before");
    std::fs::remove_dir(&world.file).unwrap();
    std::os::unix::fs::symlink("nowhere", &world.file).unwrap();
    assert!(world.wait().await.is_empty());
    std::fs::remove_file(&world.file).unwrap();
    assert_eq!(world.write(vec![b' '; 1 + usize::try_from(MOST_BYTES).unwrap()]).await, ["refused"], "large");
    assert_eq!(world.write(live("two")).await, ["two (a.live)", "taken"]);
}

#[tokio::test(start_paused = true)]
async fn a_good_file_that_changes_nothing_is_worth_a_word_after_a_bad_one() {
    let world = World::start("restored", &live("one"));
    assert!(world.wait().await.is_empty());
    assert_eq!(world.write(live("bad")).await, ["refused"]);
    assert_eq!(world.write(live("one")).await, ["taken"]);
    assert!(world.write(live("one")).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_tried_again_and_told_once() {
    let world = World::start("again", &live("one"));
    assert!(world.wait().await.is_empty());
    assert_eq!(world.write(live("not now")).await, ["refused"]);
    tokio::time::sleep(5 * TRY_AGAIN).await;
    assert!(world.heard().is_empty(), "the same words are not repeated");
    // Another file with the same fault is another attempt.
    assert_eq!(world.write(live("not now") + "# and now?\n").await, ["refused"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_between_start_and_watch_is_not_missed() {
    let world = World::start("between", &live("one"));
    std::fs::write(&world.file, live("four")).unwrap();
    assert_eq!(world.wait().await, ["four (a.live)", "taken"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_still_being_written_is_left_alone() {
    let world = World::start("storm", &live("one"));
    assert!(world.wait().await.is_empty());
    for number in 0..20 {
        std::fs::write(&world.file, live(&format!("number {number}"))).unwrap();
        tokio::time::sleep(LOOK_EVERY / 2).await;
    }
    assert!(world.heard().is_empty());
    assert_eq!(world.wait().await, ["number 19 (a.live)", "taken"]);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_points_elsewhere_is_a_change() {
    // As Kubernetes mounts a ConfigMap: config.toml → ..data/config.toml, and ..data → a folder that is replaced.
    let folder = folder("links");
    let place = |name: &str, text: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("config.toml"), text).unwrap();
        std::os::unix::fs::symlink(name, folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    place("..one", &live("one"));
    let file = folder.join("config.toml");
    std::os::unix::fs::symlink("..data/config.toml", &file).unwrap();
    let world = World::watching(folder.clone(), file);
    assert!(world.wait().await.is_empty());
    place("..two", &live("two"));
    std::fs::remove_dir_all(folder.join("..one")).unwrap();
    assert_eq!(world.wait().await, ["two (a.live)", "taken"]);
}

#[tokio::test(start_paused = true)]
async fn the_content_of_a_file_that_is_named_is_a_setting() {
    let folder = folder("named");
    let (key, ca, file) = (folder.join("key"), folder.join("ca"), folder.join("config.toml"));
    for path in [&key, &ca] {
        std::fs::write(path, "content 1").unwrap();
    }
    let text = format!("{}key_file = {key:?}\n[b]\nca_file = {ca:?}\n", live("one"));
    std::fs::write(&file, text).unwrap();
    let world = World::watching(folder, file);
    assert!(world.wait().await.is_empty());
    std::fs::write(&key, "content 2").unwrap();
    assert_eq!(world.wait().await, ["one (a.key_file)", "taken"]);
    // It is not live: only named.
    std::fs::write(&ca, "content 2").unwrap();
    assert_eq!(world.wait().await, ["taken"]);
    std::fs::write(&ca, "content 1").unwrap();
    assert!(world.wait().await.is_empty());
}

#[test]
fn what_waits_for_a_restart_is_named_until_then() {
    let text = |live: &str, port: u16| format!("[a]\nlive = \"{live}\"\nlist = [1]\n[b]\nport = {port}\n");
    let read = |text: String| settings(&text.parse().unwrap(), &[]);
    let (old, new) = (read(text("one", 1)), read(text("two", 2)));
    assert_eq!(differing(&old, &new), ["a.live", "b.port"]);
    assert_eq!(
        differing(&old, &read("[a]\nlive = \"one\"\nlist = [1, 2]\n".to_owned())),
        ["a.list", "b.port"]
    );
    let file = std::env::temp_dir().join(format!("service-reload-{}-waits.toml", std::process::id()));
    std::fs::write(&file, text("two", 2)).unwrap();
    let source = Source { file: Some(file.clone()), env: BTreeMap::new() };
    let mut watched = Watched { program: Program(Arc::default()), running: old, refused: None };
    watched.reload(&source, Why::Changed);
    assert_eq!(differing(&watched.running, &new), ["b.port"]);
    std::fs::remove_file(file).unwrap();
}
