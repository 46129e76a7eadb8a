//! Changing the configuration of a running program.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::Program;
use crate::{
    process::PATIENCE,
    settings::Settings,
    trouble::{Outcome, Trouble, While},
};

impl Program {
    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Changes its configuration, sends SIGHUP, and waits until it has met the new one: `taken` or `refused`.
    ///
    /// # Errors
    /// When it does not; the sentence carries the log.
    pub async fn reload(&self, change: impl FnOnce(&mut Settings), outcome: &str) -> Outcome {
        let mut settings = self.settings()?;
        change(&mut settings);
        self.rewrite(&settings)?;
        let before = self.reloads(outcome).await?;
        // The first that is counted may have been read before it was changed; the next begins only then.
        for count in [before + 1, before + 2] {
            self.signal("HUP")?;
            self.wait_reloads(outcome, count).await?;
        }
        Ok(())
    }

    /// How many configurations it has met with this outcome.
    ///
    /// # Errors
    /// When its admin listener does not answer.
    pub async fn reloads(&self, outcome: &str) -> Outcome<u32> {
        let end = format!("_config_reloads_total{{outcome=\"{outcome}\"}}");
        let (_, text) = self.admin("/metrics").await?;
        let found =
            text.lines().find_map(|line| line.split_once(' ').filter(|(name, _)| name.ends_with(&end)));
        found.map_or(Ok(0), |(_, value)| value.parse().while_doing("read a metric"))
    }

    /// Waits until it has met `count` configurations with this outcome.
    ///
    /// # Errors
    /// When it does not; the sentence carries the log.
    pub async fn wait_reloads(&self, outcome: &str, count: u32) -> Outcome {
        let started = Instant::now();
        while self.reloads(outcome).await? < count {
            if started.elapsed() > PATIENCE {
                let log = self.log().text();
                return Err(Trouble::new(format!("not {count} reloads were {outcome}:\n{log}")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Puts a configuration where Kubernetes would, which mounts a ConfigMap as links: `config.toml → ..data/config.toml`,
    /// and `..data` → a folder, which is replaced by another in one step.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn mount(&self, settings: &Settings) -> Outcome {
        let root = self.scratch.path();
        let old = fs::read_link(root.join("..data")).ok();
        let name = format!("..{}", old.as_ref().map_or("a".to_owned(), |old| format!("{}a", old.display())));
        let link = |to: &Path, at: PathBuf| {
            let temporary = root.join("..tmp");
            symlink(to, &temporary).and_then(|()| fs::rename(&temporary, at)).while_doing("place a link")
        };
        fs::create_dir(root.join(&name)).while_doing("make a folder")?;
        fs::write(root.join(&name).join("config.toml"), settings.text()).while_doing("write a file")?;
        link(Path::new(&name), root.join("..data"))?;
        match old {
            Some(old) => fs::remove_dir_all(root.join(old)).while_doing("remove a folder"),
            None => link(Path::new("..data/config.toml"), self.config.clone()),
        }
    }
}
