//! Paging, with its traps closed: Plane takes the page size from `per_page` only, and answers a cursor of another
//! size with an empty page that looks like the last one.

use crate::plane::path::Path;
use crate::tools::Failure;
use crate::tools::arguments::{Arguments, Parameter, Shape};

/// Largest page a model gets.
const MOST: u32 = 100;
/// Pages beyond this do not exist; the bound keeps the offset a sensible number.
const LAST_PAGE: u32 = 1_000_000;

/// Rows a page.
pub(in crate::tools) const PER_PAGE: Parameter = Parameter {
    name: "per_page",
    shape: Shape::Integer { least: 1, most: 100, default: 25 },
    required: false,
    description: "",
};

/// Where to go on.
pub(in crate::tools) const CURSOR: Parameter = Parameter {
    name: "cursor",
    shape: Shape::Text(32),
    required: false,
    description: "next_cursor of the previous page; there is none on the last page.",
};

/// Adds the page to a request: always both the cursor and the page size it was made for.
pub(in crate::tools) fn paged(path: Path, arguments: &Arguments) -> Result<Path, Failure> {
    let asked = arguments.integer(PER_PAGE.name).and_then(|number| u32::try_from(number).ok()).unwrap_or(25);
    let Some(cursor) = arguments.text(CURSOR.name) else {
        return Ok(path.query("per_page", &asked.to_string()));
    };
    let size = size_of(cursor)
        .ok_or_else(|| Failure::argument("cursor must be a next_cursor, unchanged, such as 25:1:0"))?;
    Ok(path.query("per_page", &size.to_string()).query("cursor", cursor))
}

/// The page size in `{per_page}:{page}:{previous}`, when the cursor is one Plane could have made.
fn size_of(cursor: &str) -> Option<u32> {
    let mut parts = cursor.split(':');
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let size = digits(parts.next()?).filter(|size| (1..=MOST).contains(size))?;
    digits(parts.next()?).filter(|page| *page <= LAST_PAGE)?;
    digits(parts.next()?).filter(|previous| *previous <= 1)?;
    parts.next().is_none().then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_plane_makes_are_taken() {
        assert_eq!(size_of("25:1:0"), Some(25));
        assert_eq!(size_of("100:999:1"), Some(100));
        for wrong in [
            "", "zzz", "25", "25:1", "0:1:0", "101:1:0", "25:-1:0", "25:1:2", "25:1:0:0", "25:1.0:0",
            "+5:1:0",
        ] {
            assert_eq!(size_of(wrong), None, "{wrong}");
        }
    }
}
