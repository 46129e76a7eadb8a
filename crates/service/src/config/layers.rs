//! Merges the layers into one tree of values, each of which knows the environment variable it came from.

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{Layers, Problems};

/// Between the section and the key in the name of a variable.
const SEPARATOR: &str = "__";

/// All layers as one tree. A file that is no TOML is a problem and then counts as empty.
pub(super) fn merge(layers: &Layers<'_>, problems: &mut Problems) -> Value {
    let mut builder = Config::builder();
    if let Some((path, text)) = &layers.file {
        match toml::from_str::<toml::Table>(text) {
            Ok(_) => builder = builder.add_source(File::from_str(text, FileFormat::Toml)),
            Err(error) => {
                // Only the message: the error's `Display` shows the line, which may hold a secret.
                let start = error.span().map_or(0, |span| span.start);
                let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
                problems.push(path.display().to_string(), format!("line {line}: {}", error.message()));
            }
        }
    }
    let variable =
        |name: &str| layers.env.get(name).filter(|text| !text.is_empty()).map(|text| from(name, text));
    let aliases = layers.aliases.iter().filter_map(|(name, key)| Some(((*key).to_owned(), variable(name)?)));
    let named = layers.env.keys().filter_map(|name| Some((setting(name, layers.prefix)?, variable(name)?)));
    let built =
        builder.add_source(Variables(aliases.collect())).add_source(Variables(named.collect())).build();
    match (built, &layers.file) {
        (Ok(config), _) => config.cache,
        (Err(_), file) => {
            let name = file
                .as_ref()
                .map_or_else(|| layers.prefix.to_owned(), |(path, _)| path.display().to_string());
            problems.push(name, "cannot be read: a number or date in it is out of range");
            Value::new(None, Map::<String, Value>::new())
        }
    }
}

/// The setting a variable stands for: `tls.cert_file` for `APP_TLS__CERT_FILE`.
pub(super) fn setting(variable: &str, prefix: &str) -> Option<String> {
    let name = variable.strip_prefix(prefix)?.strip_prefix('_')?;
    Some(name.replace(SEPARATOR, ".").to_ascii_lowercase())
}

fn from(variable: &str, text: &str) -> Value {
    Value::new(Some(&variable.to_owned()), ValueKind::String(text.to_owned()))
}

/// Values of environment variables by setting.
#[derive(Clone, Debug)]
struct Variables(Map<String, Value>);

impl Source for Variables {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}
