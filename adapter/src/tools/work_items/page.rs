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

/// Where to go on: the `next_cursor` of the page before.
pub(in crate::tools) const CURSOR: Parameter =
    Parameter { name: "cursor", shape: Shape::Text(32), required: false, description: "" };

/// Adds the page to a request: always both the cursor and the page size it was made for.
pub(in crate::tools) fn paged(path: Path, arguments: &Arguments) -> Result<Path, Failure> {
    let asked = arguments.integer(PER_PAGE.name).and_then(|number| u32::try_from(number).ok()).unwrap_or(25);
    let Some(cursor) = arguments.text(CURSOR.name) else {
        return Ok(path.query("per_page", &asked.to_string()));
    };
    let (size, _) = place_of(cursor).ok_or_else(not_a_cursor)?;
    Ok(path.query("per_page", &size.to_string()).query("cursor", cursor))
}

/// One page of a list that is known whole, with the cursor of the next; the cursors are like Plane's.
pub(in crate::tools) fn slice<T>(
    rows: Vec<T>,
    arguments: &Arguments,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let asked = arguments.integer(PER_PAGE.name).and_then(|number| u32::try_from(number).ok()).unwrap_or(25);
    let (size, page) = match arguments.text(CURSOR.name) {
        None => (asked, 0),
        Some(cursor) => place_of(cursor).ok_or_else(not_a_cursor)?,
    };
    let start = (size as usize).saturating_mul(page as usize);
    let next = (rows.len() > start.saturating_add(size as usize)).then(|| format!("{size}:{}:0", page + 1));
    Ok((rows.into_iter().skip(start).take(size as usize).collect(), next))
}

fn not_a_cursor() -> Failure {
    Failure::argument("cursor must be a next_cursor, unchanged, such as 25:1:0")
}

/// The page size and page in `{per_page}:{page}:{previous}`, when the cursor is one Plane could have made.
fn place_of(cursor: &str) -> Option<(u32, u32)> {
    let mut parts = cursor.split(':');
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let size = digits(parts.next()?).filter(|size| (1..=MOST).contains(size))?;
    let page = digits(parts.next()?).filter(|page| *page <= LAST_PAGE)?;
    digits(parts.next()?).filter(|previous| *previous <= 1)?;
    parts.next().is_none().then_some((size, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_plane_makes_are_taken() {
        assert_eq!(place_of("25:1:0"), Some((25, 1)));
        assert_eq!(place_of("100:999:1"), Some((100, 999)));
        for wrong in [
            "", "zzz", "25", "25:1", "0:1:0", "101:1:0", "25:-1:0", "25:1:2", "25:1:0:0", "25:1.0:0",
            "+5:1:0",
        ] {
            assert_eq!(place_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_known_whole_is_given_in_pages_and_ends() {
        let page = |cursor: Option<&str>| {
            let mut given = rmcp::model::JsonObject::new();
            given.insert("per_page".into(), 2.into());
            given.insert("cursor".into(), cursor.into());
            let arguments = Arguments::parse(&[PER_PAGE, CURSOR], Some(given)).unwrap();
            slice(vec![1, 2, 3, 4, 5], &arguments)
        };
        assert_eq!(page(None).unwrap(), (vec![1, 2], Some("2:1:0".to_owned())));
        assert_eq!(page(Some("2:1:0")).unwrap(), (vec![3, 4], Some("2:2:0".to_owned())));
        assert_eq!(page(Some("2:2:0")).unwrap(), (vec![5], None));
        assert_eq!(page(Some("5:0:0")).unwrap(), (vec![1, 2, 3, 4, 5], None));
        assert_eq!(page(Some("100:1000000:0")).unwrap(), (vec![], None));
        assert!(page(Some("x")).is_err());
    }
}
