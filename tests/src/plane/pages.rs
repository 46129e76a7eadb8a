//! Plane's paging: the query's `per_page` and `cursor`, and the envelope around a page.

use serde_json::{Value, json};

use super::answer::Answer;
use super::rows::Query;

/// Rows on a page, and the most a caller may ask for.
const MAX_PER_PAGE: i64 = 1000;

/// The page asked for. Its size is `per_page` alone: the number in the cursor does not count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    size: usize,
    number: usize,
}

impl Page {
    /// Reads `per_page` (default 1000) and `cursor` (`{per_page}:{page}:{is_prev}`, of which only the page counts).
    pub(super) fn asked(query: &Query) -> Result<Self, Answer> {
        Self::asked_or(query, MAX_PER_PAGE)
    }

    /// The same where the size is another when nobody says.
    pub(super) fn asked_or(query: &Query, default: i64) -> Result<Self, Answer> {
        let size = match query.last("per_page") {
            None => default,
            Some(text) => {
                text.trim().parse().map_err(|_| Answer::unparsable("Invalid per_page parameter."))?
            }
        };
        if size > MAX_PER_PAGE {
            return Err(Answer::unparsable("Invalid per_page value. Cannot exceed 1000."));
        }
        let number = match query.last("cursor").filter(|text| !text.is_empty()) {
            None => 0,
            Some(text) => cursor_page(text).ok_or_else(|| Answer::unparsable("Invalid cursor parameter."))?,
        };
        let number = usize::try_from(number).map_err(|_| Answer::unparsable("Error in parsing"))?;
        let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or_else(Answer::crashed)?;
        Ok(Self { size, number })
    }

    /// This page of `rows` in its envelope; `next_cursor` is there on the last page too.
    pub(super) fn envelope(&self, rows: Vec<Value>) -> Value {
        let total = rows.len();
        let start = self.size.saturating_mul(self.number);
        let results: Vec<Value> = rows.into_iter().skip(start).take(self.size).collect();
        let before = i128::try_from(self.number).unwrap_or(i128::MAX) - 1;
        json!({
            "grouped_by": null,
            "sub_grouped_by": null,
            "total_count": total,
            "next_cursor": format!("{}:{}:0", self.size, self.number.saturating_add(1)),
            "prev_cursor": format!("{}:{before}:1", self.size),
            "next_page_results": start.saturating_add(self.size) < total,
            "prev_page_results": self.number > 0,
            "count": results.len(),
            "total_pages": total.div_ceil(self.size),
            "total_results": total,
            "extra_stats": null,
            "results": results,
        })
    }
}

/// The page number in a well-formed cursor.
fn cursor_page(cursor: &str) -> Option<i64> {
    let mut parts = cursor.split(':');
    let (size, page, back) = (parts.next()?, parts.next()?, parts.next()?);
    let numbers = size.parse::<f64>().is_ok() && back.parse::<i64>().is_ok();
    (numbers && parts.next().is_none()).then_some(())?;
    page.parse().ok()
}
