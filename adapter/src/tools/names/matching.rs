//! Which of several named things a text means: the exact name in any case, else the only one that begins so, or an id.

use crate::plane::path::Uuid;

/// Candidates a message names at most.
pub(super) const CANDIDATES: usize = 10;

/// Something with an id and names.
pub(super) trait Named {
    fn id(&self) -> Option<&str>;
    /// The first is what it is shown as.
    fn names(&self) -> Vec<String>;

    fn uuid(&self) -> Option<Uuid> {
        Uuid::parse(self.id()?)
    }

    fn shown(&self) -> String {
        self.names().into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// What tells it from another of the same name.
    fn tag(&self) -> String {
        self.id().unwrap_or_default().to_owned()
    }
}

/// How many things a text may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// All that have the same name.
    AllOfOneName,
    /// One.
    One,
}

/// What a text means.
#[derive(Debug)]
pub(super) enum Found<'r, T> {
    /// These.
    Ids(Vec<Uuid>),
    /// None of them.
    Nothing,
    /// It cannot be told which.
    Several(Vec<&'r T>),
}

/// Finds what `text` means among `rows`.
pub(super) fn find<'r, T: Named>(rows: &'r [T], text: &str, rule: Rule) -> Found<'r, T> {
    if let Some(id) = Uuid::parse(text) {
        let known = rows.iter().any(|row| row.uuid().as_ref() == Some(&id));
        return if known { Found::Ids(vec![id]) } else { Found::Nothing };
    }
    let wanted = text.trim().to_lowercase();
    let having = |fits: &dyn Fn(&str) -> bool| -> Vec<&'r T> {
        let fits = |row: &&T| row.names().iter().any(|name| fits(&name.trim().to_lowercase()));
        rows.iter().filter(fits).collect()
    };
    let mut found = having(&|name| name == wanted);
    if found.is_empty() && !wanted.is_empty() {
        found = having(&|name| name.starts_with(&wanted));
    }
    let first = found.first().map(|row| row.shown().to_lowercase());
    let one_name = found.iter().all(|row| Some(row.shown().to_lowercase()) == first);
    let enough = match rule {
        Rule::AllOfOneName => one_name,
        Rule::One => found.len() == 1,
    };
    match found.as_slice() {
        [] => Found::Nothing,
        _ if enough => Found::Ids(found.into_iter().filter_map(Named::uuid).collect()),
        _ => Found::Several(found),
    }
}

/// Names to offer instead of `text`: those that hold it come first.
pub(super) fn candidates<T: Named>(rows: &[T], text: &str) -> Vec<String> {
    let wanted = text.to_lowercase();
    let mut names: Vec<String> = Vec::new();
    for name in rows.iter().map(Named::shown) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| !name.to_lowercase().contains(&wanted));
    names.truncate(CANDIDATES);
    names
}
