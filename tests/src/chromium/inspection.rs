//! Looking at a page as somebody does who sees little, hears it read, or has no mouse (WCAG 2.2, level AA).
#![expect(
    clippy::indexing_slicing,
    reason = "reading an index of a JSON value never panics: what is missing is null"
)]

use serde_json::{Value, json};

use super::Chromium;
use crate::trouble::Outcome;

/// What WebDriver calls an element's id in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const CONTROLS: &str = "a[href], button, input:not([type=hidden]), select, textarea";

/// A control as assistive programs are told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `button`, `textbox`, …
    pub role: String,
    /// Its accessible name, as the browser computes it.
    pub name: String,
}

/// What was found on a page.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The controls, in the order of the document.
    pub controls: Vec<Control>,
    /// What fails, in words; none is good.
    pub problems: Vec<String>,
    /// The lowest contrast between a text and what is behind it.
    pub contrast: f64,
}

impl Chromium {
    /// Inspects the page.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn inspect(&self) -> Outcome<Inspection> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": CONTROLS })).await?;
        let mut controls = Vec::new();
        for element in found.as_array().into_iter().flatten() {
            let id = element[ELEMENT].as_str().unwrap_or_default();
            let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
            let role = text(self.read(&format!("element/{id}/computedrole")).await?);
            let name = text(self.read(&format!("element/{id}/computedlabel")).await?);
            controls.push(Control { role, name });
        }
        let seen = self.run(&format!("({})()", include_str!("inspection.js"))).await?;
        let told = seen["problems"].as_array().cloned().unwrap_or_default();
        let mut problems: Vec<String> =
            told.iter().filter_map(|problem| Some(problem.as_str()?.to_owned())).collect();
        let nameless = controls.iter().filter(|control| control.name.trim().is_empty());
        problems.extend(nameless.map(|control| format!("a {} has no name", control.role)));
        Ok(Inspection { controls, problems, contrast: seen["contrast"].as_f64().unwrap_or_default() })
    }
}
