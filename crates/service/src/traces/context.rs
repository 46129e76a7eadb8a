//! The W3C Trace Context headers: read strictly, written in version 00.

use aws_lc_rs::rand;
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Longest `tracestate` that is passed on: what section 3.3.1.5 asks for at least, and, since strangers write it, at most.
const STATE_BYTES: usize = 512;
/// Most entries of a `tracestate` (section 3.3.1.1).
const STATE_ENTRIES: usize = 32;
const SAMPLED: u8 = 1;

/// A place in a trace: its id, the span that caused what comes next, and whether that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) sampled: bool,
    /// Empty where there is none.
    pub(super) state: String,
}

impl TraceContext {
    /// What the headers of a request say; none where `traceparent` is missing, repeated or malformed (section 3.2).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next()?.to_str().ok()?;
        if parents.next().is_some() {
            return None;
        }
        let states = headers.get_all(TRACESTATE).iter().map(HeaderValue::to_str);
        // One that cannot be read spoils them all, but not the parent (section 3.3).
        let state = states.collect::<Result<Vec<_>, _>>().map(|states| states.join(",")).unwrap_or_default();
        Self::parse(parent, &state)
    }

    /// The same from the two values.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: &str) -> Option<Self> {
        let mut parts = traceparent.splitn(5, '-');
        let (version, trace) = (hex(parts.next()?, 2)?, hex(parts.next()?, 32)?);
        let (span, flags) = (hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
        // A later version may have more parts, after those of this one (section 3.2.4); 255 is none.
        let has_more = parts.next().is_some();
        if version == 255 || (version == 0 && has_more) || trace == 0 || span == 0 {
            return None;
        }
        let state = if is_state(tracestate) { tracestate.to_owned() } else { String::new() };
        Some(Self {
            trace,
            span: u64::try_from(span).ok()?,
            sampled: flags & u128::from(SAMPLED) != 0,
            state,
        })
    }

    /// A new trace of which nothing is recorded.
    pub(super) fn unrecorded() -> Self {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        fill(&mut trace);
        fill(&mut span);
        // All zeros would be no id.
        let (trace, span) = (u128::from_be_bytes(trace).max(1), u64::from_be_bytes(span).max(1));
        Self { trace, span, sampled: false, state: String::new() }
    }

    /// Writes the headers, in place of what was there.
    pub fn set(&self, headers: &mut HeaderMap) {
        let parent = HeaderValue::from_str(&self.traceparent());
        // Hexadecimal digits, and what `is_state` let through: both are always header values.
        if let Ok(parent) = parent {
            headers.insert(TRACEPARENT, parent);
        }
        headers.remove(TRACESTATE);
        if let (false, Ok(state)) = (self.state.is_empty(), HeaderValue::from_str(&self.state)) {
            headers.insert(TRACESTATE, state);
        }
    }

    /// The value of `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    pub(super) fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    pub(super) fn is_sampled(&self) -> bool {
        self.sampled
    }

    pub(super) fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    /// Whether both are places in one trace.
    #[must_use]
    pub fn is_of_trace(&self, other: &Self) -> bool {
        self.trace == other.trace
    }
}

/// Says yes to `ratio` of all that ask, by chance.
pub(super) fn draw(ratio: f64) -> bool {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) < ratio * (f64::from(u32::MAX) + 1.0)
}

fn fill(bytes: &mut [u8]) {
    // Without randomness the ids are zeros, or one: a worse log line, and nothing else depends on them.
    let _ = rand::fill(bytes);
}

/// Exactly so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain =
        text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Section 3.3.1: entries `key=value`, with commas and blanks between. Strangers send it: its length is judged before
/// anything is done with it, and the number of its entries before they are compared with each other.
fn is_state(text: &str) -> bool {
    if !(1..=STATE_BYTES).contains(&text.len()) {
        return false;
    }
    let entries = text.split(',').map(|entry| entry.trim_matches([' ', '\t']));
    let named: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    if named.len() > STATE_ENTRIES {
        return false;
    }
    let keys: Vec<&str> = named.iter().filter_map(|entry| Some(entry.split_once('=')?.0)).collect();
    let unique = keys.iter().enumerate().all(|(at, key)| !keys.iter().skip(at + 1).any(|other| other == key));
    unique && named.iter().all(|entry| entry.split_once('=').is_some_and(|(key, value)| is_entry(key, value)))
}

fn is_entry(key: &str, value: &str) -> bool {
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b));
    let plain = value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=' && b != b',');
    first && rest && key.len() <= 256 && plain && (1..=256).contains(&value.len())
}
