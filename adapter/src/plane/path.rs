//! Parts of Plane's paths as types that cannot leave their place in the path, and the path itself.

use std::fmt::{self, Write as _};

use url::form_urlencoded::byte_serialize;

/// A workspace's slug, as in `/workspaces/<slug>/`. Case matters to Plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

/// A UUID in its canonical lower-case form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uuid(String);

/// A project's short name, the `ENG` of `ENG-42`, upper-cased as Plane stores it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProjectIdentifier(String);

/// The key people know a work item by: `ENG-42`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkItemKey {
    /// The part before the dash.
    pub project: ProjectIdentifier,
    /// The part after it.
    pub sequence: u32,
}

/// Longest slug taken; Plane's own limit is 48.
const SLUG_CHARACTERS: usize = 80;
/// Plane's own limit is 12; a longer one cannot exist.
const IDENTIFIER_CHARACTERS: usize = 24;

impl Slug {
    /// Reads a slug; `None` when it is blank, too long, a dot segment, or holds what no slug can hold.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=SLUG_CHARACTERS).contains(&text.chars().count());
        let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\?#%".contains(c));
        (fits && plain && text.chars().any(|c| c != '.')).then(|| Self(text.to_owned()))
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Uuid {
    /// Reads `8-4-4-4-12` hexadecimal digits in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut groups = text.split('-');
        let right = [8, 4, 4, 4, 12].iter().all(|length| {
            groups
                .next()
                .is_some_and(|group| group.len() == *length && group.bytes().all(|b| b.is_ascii_hexdigit()))
        });
        (right && groups.next().is_none()).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The UUID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProjectIdentifier {
    /// Reads an identifier. Letters need not be ASCII: Plane allows others.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_uppercase();
        let fits = (1..=IDENTIFIER_CHARACTERS).contains(&text.chars().count());
        (fits && text.chars().all(char::is_alphanumeric)).then_some(Self(text))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl WorkItemKey {
    /// Reads `ENG-42`: an identifier, a dash, digits. Anything else would be a server error in Plane.
    pub fn parse(text: &str) -> Option<Self> {
        let (project, sequence) = text.trim().rsplit_once('-')?;
        let digits = !sequence.is_empty() && sequence.bytes().all(|b| b.is_ascii_digit());
        let sequence = sequence.parse().ok().filter(|_| digits)?;
        Some(Self { project: ProjectIdentifier::parse(project)?, sequence })
    }
}

impl fmt::Display for WorkItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project.0, self.sequence)
    }
}

/// A path and query under Plane's address, built part by part; always ends in a slash before the query.
#[derive(Clone, Debug)]
pub struct Path {
    path: String,
    query: String,
}

impl Path {
    /// The public REST API, `/api/v1/…`.
    pub fn v1(literal: &'static str) -> Self {
        Self::at("/api/v1/", literal)
    }

    /// The API of Plane's own web application, `/api/…`: signed-in users only.
    pub fn app(literal: &'static str) -> Self {
        Self::at("/api/", literal)
    }

    /// `/api/v1/workspaces/<slug>/`.
    pub fn workspace(slug: &Slug) -> Self {
        Self::v1("workspaces/").part(slug.as_str())
    }

    /// `/api/v1/workspaces/<slug>/projects/<project>/`.
    pub fn project(slug: &Slug, project: &Uuid) -> Self {
        Self::workspace(slug).literal("projects/").part(project.as_str())
    }

    fn at(base: &str, literal: &'static str) -> Self {
        Self { path: format!("{base}{literal}"), query: String::new() }
    }

    /// Adds fixed text, which ends in a slash.
    #[must_use]
    pub fn literal(mut self, literal: &'static str) -> Self {
        self.path.push_str(literal);
        self
    }

    /// Adds one variable part: every byte but the unreserved ones (RFC 3986 section 2.3) is encoded, and the
    /// newtypes above refuse dot segments, so a part stays one part.
    #[must_use]
    pub fn part(mut self, part: &str) -> Self {
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.path.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(self.path, "%{byte:02X}");
            }
        }
        self.path.push('/');
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.extend(byte_serialize(name.as_bytes()));
        self.query.push('=');
        self.query.extend(byte_serialize(value.as_bytes()));
        self
    }

    /// The path and query as sent.
    pub fn into_text(self) -> String {
        self.path + &self.query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slug_escapes_its_segment() {
        for hostile in ["", " ", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a\\b", "a\nb", "a b"] {
            assert_eq!(Slug::parse(hostile), None, "{hostile:?}");
        }
        assert_eq!(Slug::parse(" acme ").unwrap().as_str(), "acme");
        assert!(Slug::parse("a..b").is_some());
    }

    #[test]
    fn a_part_is_encoded_whole() {
        let path = Path::v1("workspaces/").part("ümlaut").query("search", "a&b=c").into_text();
        assert_eq!(path, "/api/v1/workspaces/%C3%BCmlaut/?search=a%26b%3Dc");
        assert_eq!(Path::v1("x/").part("../%2e?#").into_text(), "/api/v1/x/..%2F%252e%3F%23/");
    }

    #[test]
    fn work_item_keys_are_read_as_people_write_them() {
        assert_eq!(WorkItemKey::parse("eng-42").unwrap().to_string(), "ENG-42");
        assert_eq!(WorkItemKey::parse("ÄÖ-1").unwrap().to_string(), "ÄÖ-1");
        for wrong in
            ["ENG", "ENG-", "-1", "ENG-abc", "ENG-4.2", "EN-G-1", "E%-1", "ENG-99999999999", "ENG-+1"]
        {
            assert_eq!(WorkItemKey::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_whole_uuids_are_uuids() {
        assert!(Uuid::parse("B5D6A26A-13ba-41aa-a751-be52ae59154d").is_some());
        assert!(Uuid::parse("b5d6a26a13ba41aaa751be52ae59154d").is_none());
        assert!(Uuid::parse("b5d6a26a-13ba-41aa-a751-be52ae59154d-").is_none());
    }
}
