//! Days and moments as models write them: ISO 8601, nothing else.

use jiff::civil::{Date, Time};
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// `2026-11-21`, from a day or from a date-time as written.
pub(super) fn day(text: &str) -> Option<String> {
    read(text).map(|(day, _, _)| day.to_string())
}

/// `2026-11-21`, or `2026-11-21T08:00:00Z`; a date-time without an offset is taken as UTC.
pub(super) fn moment(text: &str) -> Option<String> {
    let (day, time, offset) = read(text)?;
    let Some(time) = time else { return Some(day.to_string()) };
    let at = offset.to_timestamp(day.to_datetime(time.with().subsec_nanosecond(0).build().ok()?)).ok()?;
    plausible(&Offset::UTC.to_datetime(at).date()).then(|| at.to_string())
}

fn read(text: &str) -> Option<(Date, Option<Time>, Offset)> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    (pieces.time_zone_annotation().is_none() && plausible(&pieces.date()))
        .then(|| (pieces.date(), pieces.time(), offset))
}

/// Four digits: other years are typing mistakes, and Plane answers them with a server error.
fn plausible(day: &Date) -> bool {
    (1000..=9999).contains(&day.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_however_it_is_written() {
        for text in ["2026-11-21", "2026-11-21T23:30:00-05:00", "2026-11-21T08:00Z", "2026-11-21 08:00:00.5"]
        {
            assert_eq!(day(text).as_deref(), Some("2026-11-21"), "{text}");
        }
        for text in [
            "",
            "2026-02-30",
            "21.11.2026",
            "+12026-01-01",
            "0001-01-01",
            "today",
            "2026-11-21x",
            "2026-11",
            "7",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_day_or_in_utc() {
        for (text, read) in [
            ("2026-11-21", "2026-11-21"),
            ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"),
            ("2026-11-21T23:30:00.25-05:00", "2026-11-22T04:30:00Z"),
            ("2026-11-21T08:00", "2026-11-21T08:00:00Z"),
        ] {
            assert_eq!(moment(text).as_deref(), Some(read), "{text}");
        }
        for text in
            ["", "now", "2026-11-21T25:00:00Z", "9999-12-31T23:59:59-01:00", "1000-01-01T00:00:00+05:00"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
