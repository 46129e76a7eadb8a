//! Small parts of answers: text cut short, and what tells two things of one name apart.

use std::collections::HashSet;

use super::markdown;

/// Longest description in a list; the rest is rarely worth its price.
pub(super) const IN_LIST: usize = 200;
/// Longest description of an intake request: there is no tool that shows one in full.
pub(super) const OF_REQUEST: usize = 1000;
/// Longest description of the one thing asked for.
pub(super) const IN_FULL: usize = 4000;

/// A text for an answer: nothing when it is blank, else its first `most` characters.
pub(super) fn text(text: Option<String>, most: usize) -> Option<String> {
    let text = text?;
    let text = text.trim();
    (!text.is_empty()).then(|| markdown::cut(text, most))
}

/// Names that more than one of these has.
pub(super) fn shared_names<'r>(names: impl Iterator<Item = Option<&'r str>>) -> HashSet<String> {
    let mut seen = HashSet::new();
    names.flatten().filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}
