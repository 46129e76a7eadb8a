//! HTTP/2 frame by frame.

use std::io::{self, Read, Write};

use super::Connection;

/// Kinds of frames (RFC 9113 section 6).
pub const DATA: u8 = 0;
/// Header lines.
pub const HEADERS: u8 = 1;
/// The end of a stream, out of order.
pub const RESET: u8 = 3;
/// Settings.
pub const SETTINGS: u8 = 4;
/// The end of the connection.
pub const GOAWAY: u8 = 7;
/// More header lines.
pub const CONTINUATION: u8 = 9;

/// Flags of HEADERS and DATA: the stream ends here.
pub const END: u8 = 1;
/// Flags of HEADERS: the header lines end here.
pub const WHOLE: u8 = 4;

/// A frame; its payload is shorter than 65,536 bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0, high, low, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Header lines as HPACK literals without indexing, whatever is in them. Names and values are shorter than 16,000 bytes.
#[must_use]
pub fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let mut all = match text.len().checked_sub(127) {
            None => vec![length(text.len())],
            Some(more) => vec![127, length(more % 128) | 128, length(more / 128)],
        };
        all.extend(text.bytes());
        all
    };
    lines.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// What a client says first.
///
/// # Errors
/// When the connection breaks.
pub fn greet(connection: &mut Connection) -> io::Result<()> {
    connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    connection.write_all(&frame(SETTINGS, 0, 0, &[]))
}

/// The next frame: its kind, its stream and its payload; none when the other side closes first.
pub fn next(connection: &mut Connection) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    connection.read_exact(&mut head).ok()?;
    let [high, middle, low, kind, _, stream @ ..] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?];
    connection.read_exact(&mut payload).ok()?;
    Some((kind, u32::from_be_bytes(stream), payload))
}

/// Reads frames until one of `kind` for `stream`; none when the other side closes first.
pub fn read_until(connection: &mut Connection, kind: u8, stream: u32) -> Option<Vec<u8>> {
    loop {
        let (its_kind, its_stream, payload) = next(connection)?;
        if (its_kind, its_stream) == (kind, stream) {
            return Some(payload);
        }
    }
}

/// How a stream went: the status it was answered with; 0 when it was reset or the connection was closed.
pub fn outcome(connection: &mut Connection, stream: u32) -> u16 {
    while let Some((kind, its_stream, payload)) = next(connection) {
        match kind {
            HEADERS if its_stream == stream => return status(&payload),
            RESET if its_stream == stream => return 0,
            GOAWAY => return 0,
            _ => {}
        }
    }
    0
}

/// The status in a block of header lines, which always stands first (RFC 7541): one of the static table, or three digits.
fn status(block: &[u8]) -> u16 {
    // A change of the dynamic table's size may come before.
    let resized = block.first().is_some_and(|byte| byte & 0xe0 == 0x20);
    let after = if resized {
        let more = block.iter().skip(1).position(|byte| byte & 0x80 == 0);
        let fits = block.first().is_some_and(|byte| byte & 0x1f < 0x1f);
        if fits { 1 } else { more.map_or(1, |at| at + 2) }
    } else {
        0
    };
    match block.get(after..).unwrap_or_default() {
        [indexed @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500].get(usize::from(indexed - 0x88)).copied().unwrap_or_default()
        }
        // With the name of any of those.
        [0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e, 3, digits @ ..] => {
            let digits = digits.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
        }
        [0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e, 0x80..=0xff, digits @ ..] => huffman(digits),
        _ => 0,
    }
}

/// Three digits in the Huffman code of RFC 7541 appendix B: 0, 1 and 2 take five bits, the others six.
fn huffman(bytes: &[u8]) -> u16 {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from((byte >> at) & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let mut code = bits.by_ref().take(5).fold(0, |code, bit| (code << 1) | bit);
        if code > 2 {
            code = ((code << 1) | bits.next().unwrap_or_default()).saturating_sub(0b01_1001 - 3);
        }
        number = number * 10 + code;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        for (bytes, expected) in [
            (&[0x88][..], 200),
            (&[0x3f, 0xe1, 0x1f, 0x8c], 400),
            (&[0x20, 0x8d], 404),
            (&[0x48, 3, b'4', b'0', b'1'], 401),
            // 401 and 403: 011010 00000 00001, 011010 00000 011001.
            (&[0x48, 0x82, 0b0110_1000, 0b0000_0001], 401),
            (&[0x4e, 0x83, 0b0110_1000, 0b0000_1100, 0b1111_1111], 403),
        ] {
            assert_eq!(status(bytes), expected, "{bytes:?}");
        }
    }
}
