//! Free loopback ports for programs that must know their port before they start.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::trouble::{Outcome, Trouble};

/// Below the range from which the kernel hands out ports by itself, so that no outgoing connection takes one in between.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static HANDED_OUT: AtomicU32 = AtomicU32::new(0);

/// A loopback port nobody listens on, never given twice by this process.
///
/// # Errors
/// When 200 candidates in a row are taken.
pub fn free_port() -> Outcome<u16> {
    // Each process starts somewhere else, so that test binaries running side by side rarely meet.
    let start = std::process::id().wrapping_mul(97) % COUNT;
    for _ in 0..200 {
        let step = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        let candidate = FIRST + (start + step) % COUNT;
        let Ok(port) = u16::try_from(candidate) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Trouble::new("no free port between 20000 and 32000 on 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_are_never_the_same() {
        assert_ne!(free_port().unwrap(), free_port().unwrap());
    }
}
