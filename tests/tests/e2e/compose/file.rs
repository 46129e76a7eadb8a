//! What stands in `deploy/compose.yaml`, and what the images add to it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use stack::{Outcome, Trouble, trouble::While};

/// The file.
pub(super) struct ComposeFile {
    pub(super) services: BTreeMap<String, Service>,
}

/// One of its services.
pub(super) struct Service {
    pub(super) image: String,
    /// How its image is built, by this service or by another; null for what comes as it is.
    pub(super) build: Value,
    /// Everything, anchors and merges carried out.
    pub(super) raw: Value,
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl ComposeFile {
    pub(super) fn read() -> Outcome<Self> {
        let text = fs::read_to_string(root().join("deploy/compose.yaml")).while_doing("read compose.yaml")?;
        let mut yaml: serde_norway::Value =
            serde_norway::from_str(&text).while_doing("parse compose.yaml")?;
        // Twice: what is merged merges something itself.
        for _ in 0..2 {
            yaml.apply_merge().while_doing("merge compose.yaml")?;
        }
        let json = serde_json::to_value(yaml).while_doing("read compose.yaml as JSON")?;
        let services =
            json["services"].as_object().ok_or_else(|| Trouble::new("compose.yaml has no services"))?;
        let built = |image: &Value| {
            let mut builders = services.values().filter(|other| other["image"] == *image);
            builders.find_map(|other| other.get("build")).cloned().unwrap_or_default()
        };
        let service = |raw: &Value| Service {
            image: raw["image"].as_str().unwrap_or_default().to_owned(),
            build: built(&raw["image"]),
            raw: raw.clone(),
        };
        Ok(Self { services: services.iter().map(|(name, raw)| (name.clone(), service(raw))).collect() })
    }
}

impl Service {
    /// A list of words; a single word is a list of one.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        texts(&self.raw[key])
    }

    /// The command that tells whether it is healthy, without the `CMD` before it.
    pub(super) fn health_check(&self) -> Vec<String> {
        let mut words = texts(&self.raw["healthcheck"]["test"]);
        assert!(words.is_empty() || words.remove(0) == "CMD", "a health check without a shell");
        words
    }

    /// The services that must be there first, and what they must have reached.
    pub(super) fn needs(&self) -> Vec<(String, String)> {
        let needs = self.raw["depends_on"].as_object().into_iter().flatten();
        needs
            .map(|(name, need)| (name.clone(), need["condition"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// Files of the repository that it mounts: where they lie, and where it sees them.
    pub(super) fn mounted_files(&self) -> Vec<(PathBuf, String)> {
        let files = self.mounts().into_iter().filter(|(from, _)| from.starts_with("./"));
        files.map(|(from, to)| (root().join("deploy").join(from), to)).collect()
    }

    /// Volumes that it mounts: their names, and where it sees them.
    pub(super) fn volumes(&self) -> Vec<(String, String)> {
        self.mounts().into_iter().filter(|(from, _)| !from.starts_with("./")).collect()
    }

    fn mounts(&self) -> Vec<(String, String)> {
        let mounts = self.texts("volumes").into_iter();
        let parts = mounts.filter_map(|mount| {
            let mut parts = mount.splitn(3, ':').map(str::to_owned);
            Some((parts.next()?, parts.next()?))
        });
        parts.collect()
    }

    /// The environment: what the image sets, and what the file sets over it. Nothing can be written but to volumes, and what an
    /// image does not hold is not found: the system's authorities of this machine.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let mut missing = vec!["TMPDIR"];
        if !self.build.is_null() && !self.image_says("COPY").any(|line| line.contains("ca-certificates.crt"))
        {
            missing.extend(["SSL_CERT_FILE", "SSL_CERT_DIR"]);
        }
        // Below what is no folder, so that root cannot make it either.
        let missing =
            missing.into_iter().map(|name| (name.to_owned(), "/dev/null/not-in-the-image".to_owned()));
        let set = self.raw["environment"].as_object().into_iter().flatten();
        let set = set.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        let image = self.image_says("ENV");
        let image = image
            .filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
        missing.chain(image).chain(set).collect()
    }

    /// The command: the file's, or the image's.
    pub(super) fn command(&self) -> Vec<String> {
        let own = self.texts("command");
        if !own.is_empty() {
            return own;
        }
        self.image_says("CMD")
            .filter_map(|line| serde_json::from_str::<Vec<String>>(&line).ok())
            .flatten()
            .collect()
    }

    /// Lines of its stage in the Dockerfile that begin with `instruction`, without it.
    fn image_says(&self, instruction: &'static str) -> impl Iterator<Item = String> {
        let name = self.build["dockerfile"].as_str().unwrap_or_default();
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        let begin = format!("FROM scratch AS {}", self.build["target"].as_str().unwrap_or_default());
        let stage: Vec<String> = text
            .lines()
            .skip_while(|line| **line != *begin)
            .skip(1)
            .take_while(|line| !line.starts_with("FROM "))
            .filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' ').map(str::to_owned))
            .collect();
        stage.into_iter()
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => {
            values.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
        }
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}
