//! A directory of one's own, gone when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::trouble::{Outcome, While};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A fresh directory, under the system's temporary directory if nowhere else; removed with all it holds on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the directory; `purpose` becomes part of its name.
    ///
    /// # Errors
    /// When the temporary directory is not writable.
    pub fn new(purpose: &str) -> Outcome<Self> {
        Self::within(&std::env::temp_dir(), purpose)
    }

    /// Makes it in `folder`.
    ///
    /// # Errors
    /// When the folder is not writable.
    pub fn within(folder: &Path, purpose: &str) -> Outcome<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-edge-{purpose}-{}-{number}", std::process::id());
        let path = folder.join(name);
        let _ = fs::remove_dir_all(&path); // left over by a killed run that had the same process id
        fs::create_dir_all(&path).while_doing(format_args!("make {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file and returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content).while_doing(format_args!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
