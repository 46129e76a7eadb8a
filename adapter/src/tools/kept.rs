//! Whole lists that tools look things up in: short ones, asked for in the longest pages and kept for a minute.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Call;
use crate::plane::PlaneError;
use crate::plane::path::Path;
use crate::plane::shapes::{Page, Rows};

/// How long names are believed.
pub(super) const KEEP: Duration = Duration::from_secs(60);
/// The longest page Plane gives.
const PAGE: usize = 1000;
/// Pages read at most; what comes after them is not known by name.
const PAGES: usize = 5;

/// All rows of a list. `path` is made for each page, without paging.
pub(super) async fn rows<T: DeserializeOwned>(
    call: &Call<'_>,
    path: impl Fn() -> Path,
) -> Result<Vec<T>, PlaneError> {
    Ok(pages(call, path, PAGE, PAGES, KEEP).await?.0)
}

/// The same, as Plane has them now.
pub(super) async fn fresh_rows<T: DeserializeOwned>(
    call: &Call<'_>,
    path: impl Fn() -> Path,
) -> Result<Vec<T>, PlaneError> {
    Ok(pages(call, path, PAGE, PAGES, Duration::ZERO).await?.0)
}

/// The rows of the first pages of a list, and whether that is all of them.
pub(super) async fn pages<T: DeserializeOwned>(
    call: &Call<'_>,
    path: impl Fn() -> Path,
    size: usize,
    most: usize,
    keep: Duration,
) -> Result<(Vec<T>, bool), PlaneError> {
    let mut all = Vec::new();
    for page in 0..most {
        let path = path().query("per_page", &size.to_string());
        // The first page goes without a cursor, as a client of Plane's would ask.
        let path = if page == 0 { path } else { path.query("cursor", &format!("{size}:{page}:0")) };
        let rows: Page<T> = call.plane.ask_kept(call.caller, path, keep).await?;
        all.extend(rows.results);
        if !rows.next_page_results {
            return Ok((all, true));
        }
    }
    Ok((all, false))
}

/// All rows of a list that Plane never pages.
pub(super) async fn bare_rows<T: DeserializeOwned>(
    call: &Call<'_>,
    path: Path,
) -> Result<Vec<T>, PlaneError> {
    let rows: Rows<T> = call.plane.ask_kept(call.caller, path, KEEP).await?;
    Ok(rows.into_rows())
}
