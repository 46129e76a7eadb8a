//! A program's configuration file as a table that tests change key by key.

use toml::{Table, Value};

use crate::trouble::{Outcome, While};

/// A TOML document under construction.
#[derive(Debug, Clone, Default)]
pub struct Settings(Table);

impl Settings {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn read(text: &str) -> Outcome<Self> {
        text.parse().map(Self).while_doing("read a configuration file")
    }

    /// Sets `section.key` (or a top-level `key`), replacing what was there.
    pub fn set(&mut self, dotted: &str, value: impl Into<Value>) {
        let (section, key) = dotted.split_once('.').unwrap_or(("", dotted));
        let table = if section.is_empty() {
            &mut self.0
        } else {
            let entry = self.0.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(table) = entry else { return };
            table
        };
        table.insert(key.to_owned(), value.into());
    }

    /// Removes `section.key`, a section or a top-level key.
    pub fn remove(&mut self, dotted: &str) {
        match dotted.split_once('.') {
            Some((section, key)) => {
                let table = self.0.get_mut(section).and_then(Value::as_table_mut);
                table.and_then(|table| table.remove(key))
            }
            None => self.0.remove(dotted),
        };
    }

    /// Appends one element to the array of tables `name`.
    pub fn push(&mut self, name: &str, element: Table) {
        let entry = self.0.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(elements) = entry {
            elements.push(Value::Table(element));
        }
    }

    /// The document as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// One `[[routes]]` element of the proxy.
#[must_use]
pub fn route(path: &str, kind: &str, upstream: &str) -> Table {
    let mut route = Table::new();
    route.insert("path".to_owned(), path.into());
    route.insert("kind".to_owned(), kind.into());
    route.insert("upstream".to_owned(), upstream.into());
    if kind != "api-key" {
        route.insert("scopes".to_owned(), vec![Value::from("plane:read")].into());
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_toml() {
        let mut settings = Settings::default();
        settings.set("server.threads", 1);
        settings.set("server.threads", 2);
        settings.push("routes", route("/mcp", "mcp", "http://127.0.0.1:1/mcp"));
        let text = settings.text();
        assert!(text.contains("[server]\nthreads = 2") && text.contains("[[routes]]"), "{text}");
    }
}
