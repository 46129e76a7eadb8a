//! What a person can press.

/// A press of a key, or of many for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// To the next control.
    Tab,
    /// Presses the focused button, or sends the form of the focused field.
    Enter,
    /// Writes into the focused field.
    Text(&'a str),
}

impl Key<'_> {
    /// The characters WebDriver knows the keys by.
    pub(super) fn characters(&self) -> Vec<char> {
        match self {
            Self::Tab => vec!['\u{e004}'],
            Self::Enter => vec!['\u{e007}'],
            Self::Text(text) => text.chars().collect(),
        }
    }
}
